"""A run's training in this process: built from its config, trained, published, told of."""

import hashlib
import os
import sys
import time
from functools import partial
from pathlib import Path

from flows import data_survey, hardware
from flows.config import Config
from flows.journal import Journal, last_event, read_journal
from flows.runtime import UserError, backend_version


def train(config: Config, run_dir: Path, journal: Journal) -> None:
    """Train a run from its checkpoint, or from the start, to its end.

    Raises: UserError or ValueError if the config cannot be trained.
    """
    from zoo.training.distribution import build_distribution

    chosen = config.distribution
    distribution = build_distribution(chosen.kind, devices=chosen.devices)
    measured = hardware.RunHardware(config, distribution, run_dir)
    with distribution.scope(), distribution.watched():
        TrainingRun(config, run_dir, journal, distribution, measured).train()


class TrainingRun:
    """The objects of a run while it is trained.

    Args:
        config: what to train.
        run_dir: the run folder.
        journal: of this process.
        distribution: whose scope is entered.
        measured: the machine, beside which the run's steps are reported.
    """

    def __init__(
        self,
        config: Config,
        run_dir: Path,
        journal: Journal,
        distribution,
        measured: hardware.RunHardware,
    ):
        import keras

        from flows import build, build_checks

        self._started = time.monotonic()
        self.config, self.run_dir, self.journal = config, run_dir, journal
        self.distribution, self.measured = distribution, measured
        self._preparing = _Preparing(journal)
        self.source = build.build_source(config, self._preparing)
        check_same_data(self.source, journal.path)
        # Not before: data that had to be made drew numbers, and data that were found did not.
        keras.utils.set_random_seed(config.train.seed)
        self.task = build.build_task(config, self.source)
        begun_with = build.begin_with_champion(config, self.task, run_dir)
        build_checks.check_metrics(config, self.task)
        build_checks.check_masks(config, self.source, self.task)
        build_checks.check_spread(config, self.task, distribution.devices)
        reused = build.take_rows(config, self.task)
        self.task.compile(optimizer=build.build_run_optimizer(config, self.source, self.task))
        distribution.attach(self.task, synchronized=config.distribution.synchronized)
        journal.append("started", **self._facts(), reused_rows=reused or begun_with)
        self.steps = build.epoch_steps(config, self.source)
        self.stopping = build.build_stopping(
            config, self.task, self._checkpoints, self.steps, journal.append, distribution
        )
        self._reporters: list = []
        self._data_rate = 0.0

    def train(self) -> None:
        """Train, publish and tell the end."""
        from flows import build
        from zoo import training

        config = self.config
        stream = build.build_stream(
            config, self.source, self.task, self.distribution.share, self._preparing
        )
        self._data_rate = hardware.pictures_per_second(stream(0), config.data.batch_size)
        done = training.fit(
            self.task,
            stream,
            steps_per_epoch=self.steps,
            epochs=config.train.epochs,
            checkpoint=self._checkpoints / "state.npz",
            checkpoint_steps=config.train.checkpoint_steps,
            callbacks=self._callbacks,
            report=self.journal.append,
            stopping=self.stopping,
            distribution=self.distribution,
        )
        self.distribution.on_leader(self.task, partial(self._publish, done))
        self.measured.write(self.journal, step=done)
        self.journal.append("finished", step=done, metrics={}, timings=self._timings())

    @property
    def _checkpoints(self) -> Path:
        return self.run_dir / "checkpoint"

    def _callbacks(self, start_step: int) -> list:
        from flows import build
        from zoo import training

        progress = training.ReportProgress(
            self.journal.append,
            batch_size=self.config.data.batch_size,
            steps_per_epoch=self.steps,
            start_step=start_step,
            log_steps=self.config.train.log_steps,
            distribution=self.distribution,
        )
        self._reporters.append(progress)
        watching = self.measured.callbacks(self.task, self._data_rate)
        fits = build.build_fits(self.config, self.source, self.task, self._preparing)
        unfreezing = build.build_unfreezing(self.config)
        return [*watching, progress, *unfreezing, *fits, self._evaluation()]

    def _evaluation(self):
        from flows import build
        from zoo import training
        from zoo.answers import answers_of

        config, answers = self.config, answers_of(self.task)
        return training.EvaluateAnswers(
            self.journal.append,
            answers,
            partial(answers.truths, self.source, "val", config.data.limit),
            self.source.class_names,
            build.build_validation(config, self.source, self.task, self._preparing),
            every_epochs=config.train.evaluate_every,
            epochs=config.train.epochs,
            steps_per_epoch=self.steps,
            samples=self.run_dir / "samples",
            distribution=self.distribution,
        )

    def _publish(self, done: int, model) -> None:
        """Publish the weights of the last step, or those that early stopping holds best."""
        step = done
        if self.stopping is not None and self.stopping.best_step is not None:
            self.stopping.restore_best(model)
            step = self.stopping.best_step
        path = self.run_dir / "model.keras"
        model.publish(path)
        self.journal.append("published", path=path.name, sha256=_sha256(path), step=step)

    def _timings(self) -> dict[str, float]:
        return {
            "worker_seconds": time.monotonic() - self._started,
            "step_seconds": sum(reporter.step_seconds for reporter in self._reporters),
            "data_seconds": sum(reporter.wait_seconds for reporter in self._reporters),
            "data_pictures_per_second": self._data_rate,
        }

    def _facts(self) -> dict:
        config, source = self.config, self.source
        versions = {name: backend_version(name) for name in ("keras", config.backend)}
        limit = config.data.limit
        return {
            "backend": config.backend,
            "precision": config.precision,
            "versions": versions | {"python": sys.version.split()[0]},
            "parameters": config.model_dump(mode="json"),
            "task": self.task.kind,
            "data_digest": data_survey.digests(source),
            "counts": data_survey.counts(source),
            "train_size": min(source.size("train"), limit or source.size("train")),
            "val_size": min(source.size("val"), limit or source.size("val")),
            "splits": list(source.splits),
            "defects": {split: dict(source.skipped(split)) for split in _used_splits(source)},
            "num_params": self.task.count_params(),
            "devices": self.distribution.devices,
            "pid": os.getpid(),
        }


def check_same_data(source, journal: Path) -> None:
    """Refuse to go on with a run whose data are not those that it began with."""
    started = last_event(read_journal(journal), "started")
    if started is None:
        return
    for split, digest in data_survey.digests(source).items():
        if started["data_digest"].get(split, digest) != digest:
            raise UserError(
                f"{source.name}@{split} has changed since this run began; its checkpoint knows "
                "other pictures. Bring the data back, or start anew with --again."
            )


class _Preparing:
    """Tell the journal once a second what is read of the data, and how much of it so far."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self._told = time.monotonic()

    def __call__(self, what: str, done: int) -> None:
        if time.monotonic() - self._told > 1:
            self.journal.append("preparing", what=what, done=done)
            self._told = time.monotonic()


def _used_splits(source) -> list[str]:
    """Those of training and, scored at the end, test: a defect in it stops the run now."""
    return ["train", "val", *(["test"] if "test" in source.splits else [])]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
