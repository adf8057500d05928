"""A picture's optimisation that can be interrupted, with its curves and intermediate pictures.

Words: a *scale* is one of the sizes that `StyleTransfer.stylize` works through; steps are counted
over all of them.
"""

from pathlib import Path

import keras
from PIL import Image

from zoo.models.synthesized_picture import repeated
from zoo.training.fit import fit


class ResumableSynthesis:
    """Fit the scales of a picture with checkpoints: hand it to `StyleTransfer.stylize` as `fit`.

    The same call in a folder where one was interrupted goes on where that stood, and ends with the
    picture of one that was not.

    Args:
        task: the `zoo.models.StyleTransfer`.
        folder: for `checkpoint/` and `samples/`; one picture, one style, one set of options.
        report: called as report("step", ...), report("sample", ...), report("checkpoint", ...) and
            report("resumed", ...), as a run's journal takes them.
        log_steps, sample_steps, checkpoint_steps: steps between the losses reported, between
            intermediate pictures, and between checkpoints.
    """

    def __init__(self, task, folder, report, *, log_steps=10, sample_steps=50, checkpoint_steps=50):
        self.task = task
        self.folder = Path(folder)
        self.report = report
        self.log_steps = log_steps
        self.sample_steps = sample_steps
        self.checkpoint_steps = checkpoint_steps
        self._earlier = 0  # steps of the scales before

    def __call__(self, picture, targets, steps, scale):
        """Optimise the compiled picture of one scale to the end of its steps."""
        earlier = self._earlier

        def report(kind, step, **fields):
            self.report(kind, step=earlier + step, **fields)

        def callbacks(start):
            return [ReportPicture(self, report, first=start, last=steps, scale=scale)]

        fit(
            picture,
            lambda start: repeated(targets),
            steps_per_epoch=steps,
            epochs=1,
            checkpoint=self.folder / "checkpoint" / f"scale{scale}.npz",
            checkpoint_steps=self.checkpoint_steps,
            callbacks=callbacks,
            report=report,
        )
        self._earlier += steps


class ReportPicture(keras.callbacks.Callback):
    """Report the parts of the loss, and save what the picture looks like meanwhile.

    Args:
        synthesis: a `ResumableSynthesis`.
        report: called as report(kind, step, **fields).
        first, last: steps of this scale done before, and at its end.
        scale: 0, 1, ...
    """

    def __init__(self, synthesis, report, *, first, last, scale):
        super().__init__()
        self.synthesis = synthesis
        self.report = report
        self.step = first
        self.last = last
        self.scale = scale

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.synthesis.log_steps == 0 or self.step in (1, self.last):
            self._report(logs)
        if self.step % self.synthesis.sample_steps == 0 or self.step == self.last:
            self._save()

    def _report(self, logs):
        # Not Keras' own `loss`, which is the mean since the first step.
        parts = {name: float(value) for name, value in logs.items() if name != "loss"}
        metrics = {f"train/{name}": value for name, value in parts.items()}
        metrics["train/loss"] = sum(parts.values())
        self.report("step", step=self.step, epoch=self.scale + 1, metrics=metrics)

    def _save(self):
        # JAX trains on copies of the variables and writes them back on request.
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        place = Path("samples") / f"scale{self.scale}-{self.step:05d}.png"
        path = self.synthesis.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = keras.ops.convert_to_numpy(self.model.pixels)
        Image.fromarray(self.synthesis.task.picture(pixels)).save(path)
        self.report("sample", step=self.step, path=str(place))
