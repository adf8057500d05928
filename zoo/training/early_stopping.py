"""The end of a training whose answers no longer become better."""

import json
from pathlib import Path

import keras
import numpy as np

from zoo.training.distribution import Distribution
from zoo.training.replacing import replacing

_ALONE = Distribution()


class EarlyStopping(keras.callbacks.Callback):
    """Stop after so many evaluations that were not the best one, and keep the best one's weights.

    Keras' callback of this name forgets on a restart what came before it. This one keeps the scores
    in a file, so a run that was killed stops where an uninterrupted one does. The leader of several
    processes decides for all of them. Put it behind `EvaluateAnswers` and before the checkpoint.

    Args:
        folder: where `scores.json` and `best.npz` stand.
        metric: name of the figure, of which more is better, such as "ap50".
        patience: evaluations without a better one until the training ends, at least 1.
        min_delta: what counts as better is better by more than this, at least 0.
        steps_per_epoch: steps of a whole epoch.
        report: called as report("stopped", step=..., epoch=..., best_step=..., best=...).
        distribution: of the task.
    """

    def __init__(
        self,
        folder,
        *,
        metric,
        patience,
        min_delta=0.0,
        steps_per_epoch,
        report,
        distribution=_ALONE,
    ):
        super().__init__()
        self.folder = Path(folder)
        self.metric = metric
        self.patience = patience
        self.min_delta = min_delta
        self.steps_per_epoch = steps_per_epoch
        self.report = report
        self.distribution = distribution
        self._scores = self._read()  # step -> score, in order

    @property
    def best_step(self) -> int | None:
        """The steps done when the answers were best; None before there was one."""
        best = None
        for step, score in self._scores.items():
            if best is None or score > self._scores[best] + self.min_delta:
                best = step
        return best

    def is_over(self) -> bool:
        """Whether the training is at its end, in the leader's judgement; all processes ask."""
        best = self.best_step
        worse = 0 if best is None else sum(step > best for step in self._scores)
        return bool(self.distribution.from_leader([worse >= self.patience])[0])

    def restore_best(self, model) -> None:
        """Give a model of the task the best weights."""
        with np.load(self._best) as file:
            model.set_weights([file[f"{index}"] for index in range(len(file.files))])

    def on_epoch_end(self, epoch, logs=None):
        scores = {key: value for key, value in (logs or {}).items() if key.startswith("val/")}
        step = (epoch + 1) * self.steps_per_epoch
        if scores:  # the leader's, in an epoch that ends with an evaluation
            self._take(step, self._chosen(scores))
        if self.is_over():
            self.model.stop_training = True
            best = self.best_step
            self.report(
                "stopped",
                step=step,
                epoch=epoch + 1,
                best_step=best,
                best=self._scores.get(best),
                metric=self.metric,
            )

    def _chosen(self, scores) -> float:
        if f"val/{self.metric}" not in scores:
            known = ", ".join(sorted(key.removeprefix("val/") for key in scores))
            raise ValueError(
                f"early stopping goes by {self.metric}, which is not measured here; choose one of "
                f"{known}"
            )
        return float(scores[f"val/{self.metric}"])

    def _take(self, step, score) -> None:
        self._scores[step] = score
        if self.best_step == step:  # the weights first: a score without them would be believed
            weights = self.model.get_weights()
            with replacing(self._best) as file:
                np.savez(file, **{str(index): weight for index, weight in enumerate(weights)})
        with replacing(self._file) as file:
            file.write(json.dumps(list(self._scores.items())).encode())

    def _read(self) -> dict[int, float]:
        return dict(json.loads(self._file.read_text())) if self._file.exists() else {}

    @property
    def _file(self) -> Path:
        return self.folder / "scores.json"

    @property
    def _best(self) -> Path:
        return self.folder / "best.npz"
