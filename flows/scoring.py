"""Worker verb `score`: a published model on a split of data -> scores.json.

Runs in a process of its own, so that a model is scored on any backend whichever trained it. Keras
and zoo are imported once the process is prepared.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.progress import Counting, ProgressLines, mistakes_told, tell
from flows.runtime import UserError, prepare_process

if TYPE_CHECKING:
    import numpy as np

    from zoo import Detections, Task

_CHUNK = 32  # pictures between two signs of life


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
    from zoo.metrics import detection_metrics, paired_bootstrap, trivial_detections

    task = _open(args.model)
    source, split, records = _read_data(args.data, args.limit, args.on_defect)
    image_ids, pictures, ground_truth = (list(column) for column in zip(*records, strict=True))
    started = time.perf_counter()
    predictions = _detect(task, pictures, source.class_names, what="scoring")
    seconds = time.perf_counter() - started
    scores: dict[str, Any] = {
        "backend": backend,
        "model": str(args.model),
        "data": f"{source.name}@{split}",
        "pictures": len(pictures),
        "defects": dict(source.skipped(split)),
        "seconds": round(seconds, 3),
        "metrics": detection_metrics(ground_truth, predictions),
        "trivial": detection_metrics(
            ground_truth, trivial_detections(len(pictures), source.class_names)
        ),
        "confidence": None,
    }
    if args.against:
        champion = _detect(_open(args.against), pictures, source.class_names, what="comparing")
        scores["confidence"] = paired_bootstrap(
            ground_truth, predictions, champion, metric=args.metric
        )
    if args.predictions:
        rows = [
            row
            for image_id, found in zip(image_ids, predictions, strict=True)
            for row in found.to_coco(image_id)
        ]
        write_json(args.predictions, rows)
    write_json(args.out, scores, indent=1)
    tell(wrote=str(args.out))


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


def _read_data(spec: str, limit: int | None, on_defect: str):
    """Return the source, the split (val where the SPEC names none) and its records."""
    from zoo import data

    try:
        source, split = data.parse_spec(spec, on_defect=on_defect, progress=Counting())
        split = split or ("val" if "val" in source.splits else source.splits[-1])
        records = source.ground_truth(split, limit)
    except ValueError as error:
        raise UserError(f"--data {spec}: {error}") from error
    return source, split, [(name, _decode(spec, name, it), truth) for name, it, truth in records]


def _decode(spec: str, image_id: str, encoded: bytes) -> "np.ndarray":
    from zoo.pictures import read_picture

    try:
        return read_picture(encoded)
    except ValueError as error:
        raise UserError(f"--data {spec}: {image_id}: {error}") from error


def _detect(
    task: "Task", pictures: "list[np.ndarray]", class_names: tuple[str, ...], *, what: str
) -> "list[Detections]":
    """Return the model's detections with the labels of the data."""
    label_of = _label_map(task.class_names, class_names)
    progress = ProgressLines(what, len(pictures))
    found: list[Detections] = []
    for start in range(0, len(pictures), _CHUNK):
        chunk = pictures[start : start + _CHUNK]
        found += [_relabel(one, label_of, class_names) for one in task.detect(chunk)]
        progress.advance(len(chunk))
    return found


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
    from dataclasses import replace

    import numpy as np

    labels = np.asarray(label_of, np.int32)[found.labels]
    return replace(found, labels=labels, class_names=names)
