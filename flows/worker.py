"""The worker process: one backend, no Prefect, no MLflow.

    python -m flows.worker train RUN_DIR        train as RUN_DIR/config.yaml says, or resume
    python -m flows.worker score MODEL ...      score a model on a split
    python -m flows.worker predict MODEL ...    draw detections on pictures
    python -m flows.worker shard MODEL ...      answer the pictures of a shard
    python -m flows.worker check SPEC ...       look at a data set from all sides
    python -m flows.worker survey CONFIG ...    digests, counts and defects of a run's data
    python -m flows.worker show SPEC ...        draw samples as training sees them
    python -m flows.worker convert SPEC ...     write a data set as COCO JSON
    python -m flows.worker import NAME FILE ... convert a foreign checkpoint to a model
    python -m flows.worker stylize CONTENT ...  paint a picture in the style of another
    python -m flows.worker hardware ...         measure this machine, and a training step on it
    python -m flows.worker export MODEL ...     write a model in the format of another runtime
    python -m flows.worker time MODEL ...       time a model's answers

It computes and writes to the run folder; whoever wants to know what happens follows the journal.
Exit code 0: done; 2: the user's mistake, told in one line on stderr; anything else is a crash,
which the same command resumes.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from filelock import FileLock, Timeout

from flows import (
    annotate,
    data_check,
    data_convert,
    data_show,
    data_survey,
    exporting,
    hardware,
    import_weights,
    predict_shard,
    scoring,
    styling,
    timing,
    training_run,
)
from flows.config import ConfigError, load_config
from flows.journal import Journal
from flows.run_folder import begin_folder
from flows.runtime import UserError, prepare_process


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
                training_run.train(config, run_dir, journal)
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
        ("shard", predict_shard, "answer the pictures of a shard"),
        ("check", data_check, "look at a data set from all sides"),
        ("survey", data_survey, "tell what the data of a configuration hold now"),
        ("show", data_show, "draw samples as training sees them"),
        ("convert", data_convert, "write a data set as COCO JSON"),
        ("import", import_weights, "convert a foreign checkpoint to a model"),
        ("stylize", styling, "paint a picture in the style of another"),
        ("hardware", hardware, "measure this machine, and a training step on it"),
        ("export", exporting, "write a model in the format of another runtime"),
        ("time", timing, "time a model's answers"),
    ):
        verb = verbs.add_parser(name, help=told)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def run_and_end(verb: Callable[[], int]) -> NoReturn:
    """End the process with a verb's exit code; where it failed, at once.

    Taking the interpreter down would wait for pictures that tf.data has begun to read in threads
    which do not run any more: a failed process would stay for ever.
    """
    try:
        code = verb()
    except Exception:
        traceback.print_exc()
        code = 1
    if code:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run_and_end(main)
