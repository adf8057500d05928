"""What a training run tells the world: losses, speed, and answers on held-out pictures."""

import time
from itertools import islice
from pathlib import Path

import keras
from PIL import Image

from zoo.pictures import read_picture
from zoo.training.distribution import Distribution

_ALONE = Distribution()


class ReportProgress(keras.callbacks.Callback):
    """Report losses and timings of steps and epochs.

    Args:
        report: called as report("step", ...) and report("epoch", ...).
        batch_size: pictures a step.
        steps_per_epoch: steps of a whole epoch.
        start_step: steps done before this call of `fit`.
        log_steps: steps between reports within an epoch.
        distribution: of the task.
    """

    def __init__(
        self,
        report,
        *,
        batch_size,
        steps_per_epoch,
        start_step,
        log_steps,
        distribution=_ALONE,
    ):
        super().__init__()
        self.report = report
        self.batch_size = batch_size
        self.steps_per_epoch = steps_per_epoch
        self.step = start_step
        self.log_steps = log_steps
        self.distribution = distribution
        self.step_seconds = 0.0
        self.wait_seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        done = self.step % self.steps_per_epoch
        self._loss_sum = done * float(self.model.get_metrics_result()["loss"]) if done else 0.0
        self._window_start = self._last_end = time.monotonic()
        self._window_steps = 0

    def on_train_batch_begin(self, batch, logs=None):
        self._begin = time.monotonic()
        self.wait_seconds += self._begin - self._last_end

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self._window_steps += 1
        self._last_end = time.monotonic()
        self.step_seconds += self._last_end - self._begin
        # Keras gives the epoch's running mean; the difference of its sums is this step's own loss.
        loss_sum = logs["loss"] * ((self.step - 1) % self.steps_per_epoch + 1)
        step_loss, self._loss_sum = loss_sum - self._loss_sum, loss_sum
        if self.step % self.log_steps == 0:
            self._report_step(step_loss)

    def on_epoch_end(self, epoch, logs=None):
        logs = self.distribution.metrics(self.model, logs)
        metrics = {f"train/{name}": float(value) for name, value in logs.items()}
        self.report("epoch", step=self.step, epoch=epoch + 1, metrics=metrics)

    def _report_step(self, loss):
        seconds = self._last_end - self._window_start
        metrics = {
            "train/step_loss": self.distribution.mean(float(loss)),
            "train/learning_rate": float(
                keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
            ),
            "train/pictures_per_second": self._window_steps * self.batch_size / seconds,
        }
        epoch = (self.step - 1) // self.steps_per_epoch + 1
        self.report("step", step=self.step, epoch=epoch, metrics=metrics)
        self._window_start, self._window_steps = self._last_end, 0


class EvaluateAnswers(keras.callbacks.Callback):
    """Score answers on held-out pictures every so many epochs and after the last.

    Callbacks behind it find the scores in their logs, in the leader.

    Args:
        report: called as report("evaluation", ...), and as report("sample", ...) a drawn picture.
        answers: how the model is asked, of `zoo.answers`.
        truths: a function that iterates over (image id, encoded picture, truth) anew.
        class_names: of the data.
        batches: the same split as a dataset of training batches, for the losses and book metrics;
            None: the answers' own figures hold the losses.
        every_epochs: epochs between evaluations.
        epochs: epochs of the whole run.
        steps_per_epoch: steps of a whole epoch.
        samples: folder for drawn pictures; reported paths are relative to its parent.
        sample_count: pictures to draw, at most.
        distribution: of the task; its leader asks.
    """

    def __init__(
        self,
        report,
        answers,
        truths,
        class_names,
        batches,
        *,
        every_epochs,
        epochs,
        steps_per_epoch,
        samples,
        sample_count=4,
        distribution=_ALONE,
    ):
        super().__init__()
        self.report = report
        self.answers = answers
        self.truths = truths
        self.class_names = class_names
        self.batches = batches
        self.every_epochs = every_epochs
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.samples = Path(samples)
        self.sample_count = sample_count
        self.distribution = distribution

    def on_epoch_end(self, epoch, logs=None):
        done = epoch + 1
        if done % self.every_epochs and done != self.epochs:
            return
        self.distribution.settle(self.model)
        self.distribution.on_leader(self.model, lambda model: self._evaluate(model, done, logs))

    def _evaluate(self, model, done, logs):
        step = done * self.steps_per_epoch
        scores = self._scores(model, step)
        metrics = scalar_metrics(scores.metrics())
        if self.batches is not None:
            # What batches measure under the same name, such as mIoU, is of windows of the pictures.
            metrics = model.evaluate(self.batches, verbose=0, return_dict=True) | metrics
        metrics = {f"val/{name}": value for name, value in metrics.items()}
        if (picture := scores.picture()) is not None:
            self._keep(picture, "confusion", step)
        self.report("evaluation", step=step, epoch=done, metrics=metrics)
        if logs is not None:
            logs.update(metrics)  # for the callbacks behind this one

    def _scores(self, model, step):
        """Ask about a few pictures at a time and draw the first ones; return the score sheet."""
        scores, seen = self.answers.scores(self.class_names), 0
        records = self.truths()
        while chunk := list(islice(records, _PICTURES_HELD)):
            found = self.answers.ask(model, [picture for _, picture, _ in chunk])
            for record, answer in zip(chunk, found, strict=True):
                if seen < self.sample_count:
                    self._draw(record, answer, step)
                scores.add(record[2], answer)
                seen += 1
        return scores

    def _draw(self, record, answer, step):
        image_id, picture, truth = record
        shown = self.answers.certain(answer, _SAMPLE_SCORE)
        self._keep(self.answers.draw(read_picture(picture), shown, truth), image_id, step)

    def _keep(self, drawn, image_id, step):
        path = self.samples / f"{step:06d}-{Path(image_id).stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn).save(path)
        place = str(path.relative_to(self.samples.parent))
        self.report("sample", step=step, image_id=image_id, path=place)


_PICTURES_HELD = 32  # encoded, while they are looked at

# Below this a box on a sample picture is noise to the eye; the metrics use all of them.
_SAMPLE_SCORE = 0.3


def scalar_metrics(metrics) -> dict[str, float]:
    """Flatten metrics: `ap_per_class` becomes `ap_class/<name>`, and so any figure a class."""
    flat = {}
    for key, value in metrics.items():
        if isinstance(value, dict):
            classes = key.removesuffix("_per_class") + "_class"
            flat |= {f"{classes}/{name}": ap for name, ap in value.items()}
        else:
            flat[key] = value
    return flat
