"""Worker verb `score`: a published model on a split of data -> scores.json.

Runs in a process of its own, so that a model is scored on any backend whichever trained it. Keras
and zoo are imported once the process is prepared.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.progress import Counting, ProgressLines, mistakes_told, tell
from flows.runtime import UserError, prepare_process

if TYPE_CHECKING:
    import numpy as np

    from zoo import Detections, Task
    from zoo.data import Source

_CHUNK = 32  # pictures in memory at once, and between two signs of life


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", help="a published .keras file")
    parser.add_argument("--data", required=True, metavar="SPEC", help="such as bananas@val")
    parser.add_argument("--on-defect", choices=("stop", "skip"), default="stop")
    parser.add_argument("--limit", type=int, help="take this many pictures only")
    parser.add_argument("--against", metavar="MODEL", help="compare with this model")
    parser.add_argument("--metric", default="ap50", help="what the comparison goes by")
    parser.add_argument("--out", required=True, type=Path, help="where the scores go, JSON")
    parser.add_argument("--predictions", type=Path, help="also write COCO results, JSON")


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
    from zoo.metrics import metrics_of_kinds, paired_bootstrap, trivial_detections

    task = _open(args.model)
    rival = _open(args.against) if args.against else None
    source, split = _open_data(args.data, args.on_defect)
    tasks = [task] if rival is None else [task, rival]
    image_ids, truths, (found, *others), seconds = _answers(tasks, source, split, args)
    kinds = _common_kinds(tasks)
    scores: dict[str, Any] = {
        "backend": backend,
        "model": str(args.model),
        "data": f"{source.name}@{split}",
        "pictures": len(truths),
        "defects": dict(source.skipped(split)),
        "seconds": round(seconds, 3),
        "metrics": metrics_of_kinds(truths, found, kinds),
        "trivial": metrics_of_kinds(
            truths, trivial_detections(len(truths), source.class_names), kinds
        ),
        "against": None,
        "confidence": None,
    }
    if rival is not None:
        scores["against"] = {
            "model": str(args.against),
            "metrics": metrics_of_kinds(truths, others[0], kinds),
        }
        scores["confidence"] = paired_bootstrap(
            truths,
            found,
            others[0],
            metric=args.metric.removeprefix("mask_"),
            kind="masks" if args.metric.startswith("mask_") else "boxes",
        )
    if args.predictions:
        write_json(args.predictions, _coco_results(source, split, image_ids, found))
    write_json(args.out, scores, indent=1)
    tell(wrote=str(args.out))


def _common_kinds(tasks: "list[Task]") -> list[str]:
    """Return what all models answer: boxes, and perhaps masks."""
    return [kind for kind in tasks[0].result_kinds if kind in tasks[-1].result_kinds]


def _answers(tasks: "list[Task]", source: "Source", split: str, args: argparse.Namespace):
    """Run each model over the split, some pictures in memory at a time.

    Returns: the pictures' ids, what is in them, a list of detections a model with the labels of the
        data, and the seconds that the first model took.
    """
    label_maps = [_label_map(task.class_names, source.class_names) for task in tasks]
    records = _read(source, split, args, masks="masks" in _common_kinds(tasks))
    size = source.size(split)
    progress = ProgressLines("scoring", size if args.limit is None else min(size, args.limit))
    image_ids: list[str] = []
    truths: list[Detections] = []
    answers: list[list[Detections]] = [[] for _ in tasks]
    seconds = 0.0
    while chunk := list(islice(records, _CHUNK)):
        names, pictures, objects = (list(column) for column in zip(*chunk, strict=True))
        image_ids += names
        truths += objects
        for number, (task, label_map) in enumerate(zip(tasks, label_maps, strict=True)):
            started = time.perf_counter()
            found = task.detect(pictures)
            seconds += 0.0 if number else time.perf_counter() - started
            answers[number] += [_relabel(one, label_map, source.class_names) for one in found]
        progress.advance(len(chunk))
    return image_ids, truths, answers, seconds


def _coco_results(
    source: "Source", split: str, image_ids: list[str], found: "list[Detections]"
) -> list[dict]:
    """Return the rows of a COCO results file, with the ids of the data's own COCO file if any."""
    ids = None if source.coco_ids is None else source.coco_ids(split)
    rows = []
    for image_id, detections in zip(image_ids, found, strict=True):
        for row in detections.to_coco(image_id):
            if ids is not None:
                name = source.class_names[row["category_id"]]
                row |= {"image_id": ids.images[image_id], "category_id": ids.categories[name]}
            rows.append(row)
    return rows


def write_json(path: Path, values: Any, *, indent: int | None = None) -> None:
    """Write a file that is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(values, indent=indent) + "\n", encoding="utf-8")
    part.replace(path)


def _open(path: str) -> "Task":
    import zoo

    try:
        return zoo.load(path)
    except ValueError as error:
        raise UserError(str(error)) from error


def _open_data(spec: str, on_defect: str) -> "tuple[Source, str]":
    """Return the source and the split, val where the SPEC names none."""
    from zoo import data

    try:
        source, split = data.parse_spec(spec, on_defect=on_defect, progress=Counting())
    except ValueError as error:
        raise UserError(f"--data {spec}: {error}") from error
    return source, split or ("val" if "val" in source.splits else source.splits[-1])


def _read(
    source: "Source", split: str, args: argparse.Namespace, *, masks: bool
) -> "Iterator[tuple[str, np.ndarray, Detections]]":
    try:
        for image_id, encoded, truth in source.ground_truth(split, args.limit, masks=masks):
            yield image_id, _decode(args.data, image_id, encoded), truth
    except ValueError as error:
        raise UserError(f"--data {args.data}: {error}") from error


def _decode(spec: str, image_id: str, encoded: bytes) -> "np.ndarray":
    from zoo.pictures import read_picture

    try:
        return read_picture(encoded)
    except ValueError as error:
        raise UserError(f"--data {spec}: {image_id}: {error}") from error


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


def _relabel(found: "Detections", label_of: list[int], names: tuple[str, ...]) -> "Detections":
    import numpy as np

    return found.relabelled(np.asarray(label_of, np.int32)[found.labels], names)
