"""The worker process: one backend, no Prefect, no MLflow.

    python -m flows.worker train RUN_DIR        train as RUN_DIR/config.yaml says, or resume
    python -m flows.worker score MODEL ...      score a model on a split
    python -m flows.worker predict MODEL ...    draw detections on pictures
    python -m flows.worker check SPEC ...       look at a data set from all sides
    python -m flows.worker show SPEC ...        draw samples as training sees them
    python -m flows.worker convert SPEC ...     write a data set as COCO JSON
    python -m flows.worker import NAME FILE ... convert a foreign checkpoint to a model
    python -m flows.worker stylize CONTENT ...  paint a picture in the style of another

It computes and writes to the run folder; whoever wants to know what happens follows the journal.
Exit code 0: done; 2: the user's mistake, told in one line on stderr; anything else is a crash,
which the same command resumes.
"""

import argparse
import hashlib
import os
import sys
import time
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from flows import annotate, data_check, data_convert, data_show, import_weights, scoring, styling
from flows.config import Config, ConfigError, load_config
from flows.journal import Journal
from flows.run_folder import begin_folder
from flows.runtime import UserError, backend_version, prepare_process


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        return args.run(args)
    except (UserError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 2


def train(args) -> int:
    """Train the run in `args.run_dir` to its end, holding its lock."""
    run_dir = Path(args.run_dir).resolve()
    if args.config is not None:
        begin_folder(run_dir, load_config(args.config))
    config = load_config(run_dir / "config.yaml")
    prepare_process(config.backend)
    try:
        rank = _rank()
        # The first process of a group tells what all of them do; the others keep a journal apart.
        apart = f"-{rank}" if rank else ""
        with (
            FileLock(run_dir / f"worker{apart}.lock", timeout=0),
            Journal(run_dir / f"journal{apart}.jsonl") as journal,
        ):
            try:
                _train(config, run_dir, journal)
            except (UserError, ValueError) as error:
                journal.append("failed", reason=str(error))
                raise UserError(str(error)) from error
    except Timeout:
        raise UserError(f"{run_dir}: another worker is training this run") from None
    return 0


def _rank() -> int:
    from zoo.training.distribution import find_place

    try:
        return find_place().rank
    except ValueError as error:
        raise UserError(str(error)) from error


def _train(config: Config, run_dir: Path, journal: Journal) -> None:
    from zoo.training.distribution import build_distribution

    chosen = config.distribution
    distribution = build_distribution(chosen.kind, devices=chosen.devices)
    with distribution.scope():
        _train_within(distribution, config, run_dir, journal)


def _train_within(distribution, config: Config, run_dir: Path, journal: Journal) -> None:
    import keras

    from flows import build
    from zoo import training
    from zoo.answers import answers_of

    keras.utils.set_random_seed(config.train.seed)
    started = time.monotonic()
    preparing = _Preparing(journal)
    source = build.build_source(config, preparing)
    # Again: data that were made drew numbers, and data that were found did not.
    keras.utils.set_random_seed(config.train.seed)
    task = build.build_task(config, source)
    build.check_masks(config, source, task)
    build.check_spread(config, task, distribution.devices)
    reused = build.take_rows(config, task)
    task.compile(optimizer=build.build_run_optimizer(config, source, task))
    distribution.attach(task, synchronized=config.distribution.synchronized)
    facts = _facts(config, source, task) | {"devices": distribution.devices}
    journal.append("started", **facts, reused_rows=reused)
    steps = build.epoch_steps(config, source)
    answers = answers_of(task)
    reporters = []

    def callbacks(start_step):
        reporters.append(
            training.ReportProgress(
                journal.append,
                batch_size=config.data.batch_size,
                steps_per_epoch=steps,
                start_step=start_step,
                log_steps=config.train.log_steps,
                distribution=distribution,
            )
        )
        evaluation = training.EvaluateAnswers(
            journal.append,
            answers,
            partial(answers.truths, source, "val", config.data.limit),
            source.class_names,
            build.build_validation(config, source, task, preparing),
            every_epochs=config.train.evaluate_every,
            epochs=config.train.epochs,
            steps_per_epoch=steps,
            samples=run_dir / "samples",
            distribution=distribution,
        )
        fits = build.build_fits(config, source, task, preparing)
        return [reporters[-1], *build.build_unfreezing(config), *fits, evaluation]

    stream = build.build_stream(config, source, task, distribution.share, preparing)
    data_rate = _pictures_per_second(stream(0), config.data.batch_size)
    training.fit(
        task,
        stream,
        steps_per_epoch=steps,
        epochs=config.train.epochs,
        checkpoint=run_dir / "checkpoint" / "state.npz",
        checkpoint_steps=config.train.checkpoint_steps,
        callbacks=callbacks,
        report=journal.append,
        distribution=distribution,
    )
    distribution.on_leader(task, lambda model: _publish(model, run_dir / "model.keras", journal))
    journal.append(
        "finished",
        step=steps * config.train.epochs,
        metrics={},
        timings={
            "worker_seconds": time.monotonic() - started,
            "step_seconds": sum(reporter.step_seconds for reporter in reporters),
            "data_seconds": sum(reporter.wait_seconds for reporter in reporters),
            "data_pictures_per_second": data_rate,
        },
    )


def _publish(task, path: Path, journal: Journal) -> None:
    task.publish(path)
    journal.append("published", path=path.name, sha256=_sha256(path))


def _pictures_per_second(dataset, batch_size, batches=8):
    """Time the input pipeline alone: on TensorFlow its waiting hides within the training step."""
    iterator = iter(dataset.take(batches + 1))
    next(iterator)
    start = time.monotonic()
    count = sum(1 for _ in iterator)
    return count * batch_size / (time.monotonic() - start)


def _facts(config, source, task):
    versions = {name: backend_version(name) for name in ("keras", config.backend)}
    limit = config.data.limit
    return {
        "backend": config.backend,
        "precision": config.precision,
        "versions": versions | {"python": sys.version.split()[0]},
        "parameters": config.model_dump(mode="json"),
        "task": task.kind,
        "data_digest": {split: source.digest(split) for split in ("train", "val")},
        "train_size": min(source.size("train"), limit or source.size("train")),
        "val_size": min(source.size("val"), limit or source.size("val")),
        "splits": list(source.splits),
        "defects": {split: dict(source.skipped(split)) for split in _used_splits(source)},
        "num_params": task.count_params(),
        "pid": os.getpid(),
    }


class _Preparing:
    """Tell the journal once a second what is read of the data, and how much of it so far."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self._told = time.monotonic()

    def __call__(self, what: str, done: int) -> None:
        if time.monotonic() - self._told > 1:
            self.journal.append("preparing", what=what, done=done)
            self._told = time.monotonic()


def _used_splits(source):
    """Those of training and, scored at the end, test: a defect in it stops the run now."""
    return ["train", "val", *(["test"] if "test" in source.splits else [])]


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _parser():
    parser = argparse.ArgumentParser(prog="python -m flows.worker", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    train_parser = verbs.add_parser("train", help="train the run of a folder, or resume it")
    train_parser.add_argument("run_dir")
    train_parser.add_argument("--config", help="makes the folder, where it is none yet, of this")
    train_parser.set_defaults(run=train)
    for name, module, told in (
        ("score", scoring, "score a model on a split of data"),
        ("predict", annotate, "draw a model's detections on pictures"),
        ("check", data_check, "look at a data set from all sides"),
        ("show", data_show, "draw samples as training sees them"),
        ("convert", data_convert, "write a data set as COCO JSON"),
        ("import", import_weights, "convert a foreign checkpoint to a model"),
        ("stylize", styling, "paint a picture in the style of another"),
    ):
        verb = verbs.add_parser(name, help=told)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
