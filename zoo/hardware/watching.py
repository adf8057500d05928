"""A training step counted and timed while it is taken anyway."""

from contextlib import contextmanager

import keras

from zoo.hardware.counting import StepWork, count_step
from zoo.layers.calls import Call, watching


class StepRecord:
    """Counts a step of a task that is trained.

    While the step is taken it only takes notes: what cannot be counted ends no training.

    Args:
        task: compiled.
        pictures: of the batch that the step is traced with, where the trace does not tell.
    """

    def __init__(self, task, pictures: int) -> None:
        self.task, self.pictures = task, pictures
        self._calls: list[Call] = []
        self._work: StepWork | None = None

    @property
    def work(self) -> StepWork | None:
        """What was counted; None before a step was recorded."""
        if self._work is None and self._calls:
            self._work = count_step(self._calls, self.task, pictures=self.pictures)
        return self._work

    @contextmanager
    def recording(self):
        """Watch one step; the first of a process, as later ones are not traced again."""
        with watching(self.task) as watch:
            yield
        self._calls = watch.calls


class StepTimes(keras.callbacks.Callback):
    """Counts the first step of a training and times the ones after it.

    A step is timed until its loss is known, so on devices that work ahead too; that is waited for
    in `limit` steps only. On TensorFlow Keras reads the next batch within the step.

    Args:
        record: counts the step.
        clock: seconds.
        limit: steps to time, at most.
        on_epoch: called at the end of the first epoch.
    """

    def __init__(self, record: StepRecord, *, clock, limit=50, on_epoch=lambda: None) -> None:
        super().__init__()
        self.record, self.clock, self.limit = record, clock, limit
        self._on_epoch = on_epoch
        self.seconds: list[float] = []
        self._watch = None
        self._begun = False

    def on_train_batch_begin(self, batch, logs=None):
        if not self._begun:
            self._watch = self.record.recording()
            self._watch.__enter__()
        self._start = self.clock()

    def on_train_batch_end(self, batch, logs=None):
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
            self._watch, self._begun = None, True
        elif len(self.seconds) < self.limit:
            float(logs["loss"])
            self.seconds.append(self.clock() - self._start)

    def on_epoch_end(self, epoch, logs=None):
        self._on_epoch()
        self._on_epoch = lambda: None
