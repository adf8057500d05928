"""Worker verb `hardware`, and the hardware report that each training run leaves.

The verb measures the machine, then the input pipeline of a config or preset alone, then training
steps on one batch that is there already, and compares them. A run repeats nothing: it counts the
first step it takes anyway, times the following ones, and needs the ceilings from the cache.
"""

import argparse
import logging
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from flows import hardware_rates, hardware_report
from flows.config import Config, load_config
from flows.progress import mistakes_told, tell
from flows.runtime import UserError, accelerator, prepare_process

logger = logging.getLogger(__name__)

_STEPS, _STEP_SECONDS = (3, 30), 5.0  # as many steps as fit the seconds, within limits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--config", type=Path, help="of the training to look at, YAML")
    chosen.add_argument("--preset", help="of the model to look at")
    parser.add_argument("--out", required=True, type=Path, help="the folder for the report")


def run(args: argparse.Namespace) -> int:
    """Measure, and write the report; return the exit code.

    Raises:
        UserError: the config or the preset cannot be trained here.
    """
    with mistakes_told():
        backend = prepare_process()
        try:
            with _chosen(args) as found:
                report, title = _report(backend, found)
        except ValueError as error:
            raise UserError(str(error)) from error
        hardware_report.write(report, args.out)
        hardware_report.write_picture(report, args.out, title=title)
    tell(wrote=str(args.out))
    return 0


def pictures_per_second(dataset, batch_size: int, batches: int = 8) -> float:
    """Time the input pipeline alone: on TensorFlow its waiting hides within the training step."""
    iterator = iter(dataset.take(batches + 1))
    next(iterator)
    start = time.monotonic()
    count = sum(1 for _ in iterator)
    return count * batch_size / (time.monotonic() - start)


class RunHardware:
    """The hardware report of one training run.

    Whatever goes wrong with it is a line in the worker's log and never the end of a training.

    Args:
        config: of the run.
        distribution: how it is spread; the leader reports.
        run_dir: the run folder.
    """

    def __init__(self, config: Config, distribution, run_dir: Path) -> None:
        self.config, self.distribution, self.run_dir = config, distribution, run_dir
        self._rates: dict[str, Any] | None = None
        self._times: Any = None
        self._pipeline = 0.0
        if distribution.leads:
            with _harmless("the machine's rates"):
                self._rates = hardware_rates.kept_or_measured(config.backend)

    def callbacks(self, task, pipeline: float) -> list:
        """Return what counts the first step and times the others; to come before all others.

        Args:
            task: compiled.
            pipeline: pictures a second of the input pipeline alone, of this process' part.
        """
        if self._rates is None:
            return []
        if self._times is None:
            from zoo.hardware import StepRecord, StepTimes

            share = self.config.data.batch_size // self.distribution.devices
            self._times = StepTimes(
                StepRecord(task, share), clock=time.perf_counter, on_epoch=self._save
            )
            self._pipeline = pipeline * self.distribution.size
        return [self._times]

    def write(self, journal, *, step: int) -> None:
        """Write report and picture to the run folder, and tell the journal.

        Args:
            step: the run's last.
        """
        if not self.distribution.leads:
            return
        with _harmless("the hardware report"):
            self._save()
            # Resumed after its last step, a run has the report of an earlier attempt.
            report = hardware_report.read(self.run_dir)
            if report is None:
                return
            hardware_report.write_picture(report, self.run_dir, title=_title(self.config))
            journal.append(
                "hardware",
                step=step,
                path=hardware_report.REPORT,
                picture=hardware_report.PICTURE,
                facts=hardware_report.facts(report),
                metrics=hardware_report.metrics(report),
            )

    def _save(self) -> None:
        """Write what is known of this attempt's steps; nothing where it took none."""
        with _harmless("the hardware report"):
            if self._times is not None and self._times.record.work is not None:
                hardware_report.write(self._describe(), self.run_dir)

    def _describe(self) -> dict[str, Any]:
        from zoo.hardware import median

        assert self._rates is not None
        devices, work = self.distribution.devices, self._times.record.work
        apart = devices if self.config.distribution.kind == "model_parallel" else 1
        on_cpu = accelerator(self.config.backend) == "cpu"
        return hardware_report.describe(
            self._rates,
            work.of_device(self.config.data.batch_size / devices, weights_parts=apart),
            seconds=median(self._times.seconds),
            pipeline=self._pipeline,
            devices=devices,
            logical=devices // self.distribution.size if on_cpu else 1,
        )


def _chosen(args):
    """Return the context of a config, a source and a task; of None where the machine is all."""
    if args.config is None and args.preset is None:
        return nullcontext(None)
    from flows.hardware_models import of_config, of_preset

    _tell("building the model")
    return of_preset(args.preset) if args.preset else of_config(load_config(args.config))


def _report(backend: str, found) -> tuple[dict[str, Any], str]:
    """Measure; return the report and the picture's title."""
    from zoo.hardware import median

    rates = hardware_rates.measure(backend, progress=_tell)
    if found is None:
        return hardware_report.describe(rates, None, seconds=None, pipeline=None), backend
    times, pipeline = _train(*found)
    report = hardware_report.describe(
        rates, times.record.work, seconds=median(times.seconds), pipeline=pipeline
    )
    return report, _title(found[0])


def _train(config: Config, source, task):
    """Take training steps on one batch; return their times, and the pipeline's rate."""
    from flows import build
    from zoo.hardware import StepRecord, StepTimes

    task.compile(optimizer=build.build_run_optimizer(config, source, task))
    task.optimizer.build(task.trainable_variables)
    stream = build.build_stream(config, source, task)
    _tell("reading pictures")
    pipeline = pictures_per_second(stream(0), config.data.batch_size)
    batch = stream(0).take(1).cache().repeat()
    times = StepTimes(StepRecord(task, config.data.batch_size), clock=time.perf_counter)
    _tell("compiling a training step")
    _fit(task, batch, 2, times)
    least, most = _STEPS
    steps = min(max(least, int(_STEP_SECONDS / times.seconds[0])), most)
    _tell(f"training for {steps} steps")
    _fit(task, batch, steps, times)
    times.seconds = times.seconds[1:]  # the first one that was compiled still warms up
    return times, pipeline


def _fit(task, batch, steps, times) -> None:
    task.fit(batch, steps_per_epoch=steps, epochs=1, verbose=0, callbacks=[times])


def _title(config: Config) -> str:
    size = config.data.image_size
    height, width = (size, size) if isinstance(size, int) else size
    return (
        f"{config.model.preset} {height}x{width}, batch {config.data.batch_size}, "
        f"{config.backend}, {config.precision}"
    )


def _tell(what: str) -> None:
    tell(what=what, done=0, total=None)


@contextmanager
def _harmless(what: str):
    """Turn a failure into a line of the log: a report is no reason to lose a training."""
    try:
        yield
    except Exception as error:
        logger.warning("%s could not be had: %s: %s", what, type(error).__name__, error)
