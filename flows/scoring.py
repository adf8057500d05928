"""Worker verb `score`: a published model on a split of data -> scores.json.

Runs in a process of its own, so that a model is scored on any backend whichever trained it. Keras
and zoo are imported once the process is prepared.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.opening import decode_picture, open_data, open_model
from flows.progress import ProgressLines, mistakes_told, tell
from flows.runtime import UserError, prepare_process
from flows.source_options import add_option
from flows.whole_files import write_json

if TYPE_CHECKING:
    import numpy as np

    from zoo import Task
    from zoo.data import Source
    from zoo.export import Exported

_CHUNK = 32  # pictures in memory at once, and between two signs of life


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", help="a published .keras file")
    parser.add_argument("--data", required=True, metavar="SPEC", help="such as bananas@val")
    add_option(parser)
    parser.add_argument("--on-defect", choices=("stop", "skip"), default="stop")
    parser.add_argument("--limit", type=int, help="take this many pictures only")
    parser.add_argument("--fold", type=json.loads, help="of the training records, JSON")
    parser.add_argument("--against", metavar="MODEL", help="compare with this model")
    parser.add_argument("--metric", help="what --against goes by, such as ap50 or top1")
    parser.add_argument("--out", required=True, type=Path, help="where the scores go, JSON")
    parser.add_argument("--predictions", type=Path, help="also write COCO results, JSON")
    parser.add_argument("--report", type=Path, help="also write a report's details, a folder")


def run(args: argparse.Namespace) -> int:
    """Score the model and write the files; return the exit code.

    Raises:
        UserError: the model, the data or the metric cannot be used.
    """
    with mistakes_told():
        _score(args)
    return 0


def _score(args: argparse.Namespace) -> None:
    backend = prepare_process()
    from zoo.answers import answers_of

    task = open_model(args.model)
    rival = open_model(args.against) if args.against else None
    tasks = [task] if rival is None else [task, rival]
    try:
        answers = answers_of(*tasks)
    except ValueError as error:
        model = f"--against {args.against}" if args.against else args.model
        raise UserError(f"{model}: {error}") from error
    source, split = open_data(args.data, args.on_defect, args.options)
    if args.fold is not None:
        source, split = _take_fold(source, args), "test" if split == "test" else "val"
    rows: list[dict] | None = [] if args.predictions else None
    (found, *others), pictures, seconds = _sheets(tasks, answers, source, split, args, rows)
    scores: dict[str, Any] = {
        "backend": backend,
        "model": str(args.model),
        "data": f"{source.name}@{split}",
        "pictures": pictures,
        "defects": dict(source.skipped(split)),
        "seconds": round(seconds, 3),
        "metrics": found.metrics(),
        "trivial": found.trivial(),
        "mistaken_for": found.mistaken_for(),
        "against": None,
        "confidence": None,
    }
    if others:
        scores["against"] = {"model": str(args.against), "metrics": others[0].metrics()}
        scores["confidence"] = found.confidence(others[0], args.metric or answers.metric)
    if args.predictions:
        write_json(args.predictions, rows)
    if args.report:
        _write_details(args.report, task, answers, found, source, split, args)
    write_json(args.out, scores, indent=1)
    tell(wrote=str(args.out))


def _sheets(
    tasks: "list[Task | Exported]",
    answers,
    source: "Source",
    split: str,
    args: argparse.Namespace,
    rows,
):
    """Run each model over the split, some pictures in memory at a time.

    Args:
        answers: how the models are asked.
        rows: gets the first model's answers as rows of a results file; None: not wanted.
    Returns: a score sheet a model, the number of pictures, and the seconds of the first model.
    """
    label_maps = [_labels(task, source) for task in tasks]
    size = source.size(split)
    progress = ProgressLines("scoring", size if args.limit is None else min(size, args.limit))
    sheets = [_empty_sheet(answers, source, args.model) for _ in tasks]
    coco_row = _coco_row(source, split)
    records = _read(answers.truths(source, split, args.limit), args.data)
    pictures, seconds = 0, 0.0
    while chunk := list(islice(records, _CHUNK)):
        for number, (task, label_map) in enumerate(zip(tasks, label_maps, strict=True)):
            started = time.perf_counter()
            found = answers.ask(task, [picture for _, picture, _ in chunk])
            seconds += 0.0 if number else time.perf_counter() - started
            for (image_id, _, truth), answer in zip(chunk, found, strict=True):
                named = answers.renamed(answer, label_map, source.class_names)
                sheets[number].add(truth, named)
                if number == 0 and rows is not None:
                    rows += [coco_row(row) for row in answers.rows(named, image_id)]
        pictures += len(chunk)
        progress.advance(len(chunk))
    return sheets, pictures, seconds


def _write_details(
    folder: Path, task: "Task | Exported", answers, sheet, source: "Source", split: str, args
) -> None:
    """Write what a report shows, or why that could not be had: the scores are there anyway."""
    from flows import report_data
    from flows.run_folder import DETAILS

    labels = _labels(task, source)

    def ask(pictures: list) -> list:
        found = answers.ask(task, pictures) if pictures else []
        return [answers.renamed(answer, labels, source.class_names) for answer in found]

    try:
        report_data.write(
            folder, answers, sheet, ask=ask, source=source, split=split, limit=args.limit
        )
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        write_json(folder / DETAILS, {"problem": problem})


def _empty_sheet(answers, source: "Source", model: str):
    try:
        return answers.scores(source.class_names)
    except ValueError as error:
        raise UserError(f"{model}: {error}") from error


def _coco_row(source: "Source", split: str) -> "Callable[[dict], dict]":
    """Return what gives a row of results the ids of the data's own COCO file, if there is one."""
    ids = None if source.coco_ids is None else source.coco_ids(split)

    def with_ids(row: dict) -> dict:
        if ids is None:
            return row
        name = source.class_names[row["category_id"]]
        return row | {
            "image_id": ids.images[row["image_id"]],
            "category_id": ids.categories[name],
        }

    return with_ids


def _take_fold(source: "Source", args: argparse.Namespace) -> "Source":
    from zoo.data import take_fold

    try:
        return take_fold(source, **args.fold, limit=args.limit)
    except ValueError as error:
        raise UserError(f"--data {args.data}: {error}") from error


def _read(records: Iterator, spec: str) -> "Iterator[tuple[str, np.ndarray, Any]]":
    try:
        for image_id, encoded, truth in records:
            yield image_id, decode_picture(spec, image_id, encoded), truth
    except ValueError as error:
        raise UserError(f"--data {spec}: {error}") from error


def _labels(task: "Task | Exported", source: "Source") -> list[int]:
    """Return the data's labels of a model's classes; of one without classes none."""
    return _label_map(task.class_names, source.class_names) if task.class_names else []


def _label_map(model_names: tuple[str, ...], data_names: tuple[str, ...]) -> list[int]:
    """Return, for each label of the model, the data's label for the same class."""
    if set(model_names) == set(data_names):
        return [data_names.index(name) for name in model_names]
    unnamed = all(name.startswith("class_") for name in model_names)
    if unnamed and len(model_names) == len(data_names):
        return list(range(len(data_names)))
    raise UserError(
        f"the model knows the classes {', '.join(model_names)}; "
        f"the data have {', '.join(data_names)}. Is this the right data?"
    )
