"""Writer of COCO JSON: any data set -> the layout that `zoo.data.coco` and COCO's tools read.

    <folder>/annotations/instances_train.json  <folder>/train/<image_id>.jpg

Reading it back gives the same records. Memory does not grow with the number of pictures.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from PIL import Image

from zoo.data.picture_facts import measure_picture
from zoo.data.source import Source


def write_coco(
    source: Source,
    folder: str | os.PathLike,
    splits: Sequence[str] | None = None,
    *,
    limit: int | None = None,
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> None:
    """Write splits of a data set.

    Categories are numbered from 1 in the order of the labels, as COCO's are; images and
    annotations likewise. A picture keeps its bytes, its EXIF orientation included; the size that is
    written is the upright one, which the boxes and masks are in.

    Args:
        folder: is made where missing; must hold no such split yet.
        splits: default: all.
        limit: take the first N records a split only.
        progress: called with what is under way, and how many pictures of it so far.
    Raises: ValueError: the folder has the split already, an image_id is no name for a file, or the
        data set has the class of every pixel in the place of objects.
    """
    if source.palette:
        raise ValueError(f"{source.name} has no objects, which COCO's layout is for.")
    folder = Path(folder)
    for split in splits or source.splits:
        target = folder / "annotations" / f"instances_{split}.json"
        if target.exists() or (folder / split).exists():
            raise ValueError(f"{folder} has a split {split} already. Name another folder.")
        (folder / split).mkdir(parents=True)
        target.parent.mkdir(exist_ok=True)
        part = target.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file, tempfile.TemporaryFile("w+") as rows:
            _write_split(source, split, folder / split, file, rows, limit, progress)
        part.replace(target)


def _write_split(source, split, pictures: Path, file: IO[str], rows: IO[str], limit, progress):
    """Write a split's JSON; annotations go through `rows`, since they follow all the images."""
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(source.class_names)]
    description = json.dumps({"description": f"{source.name}@{split}"})
    file.write(f'{{"info": {description},\n"categories": {json.dumps(categories)},\n"images": [')
    count = 0
    for number, record in enumerate(source.records(split, limit).as_numpy_iterator(), 1):
        name = _write_picture(pictures, record["image_id"].decode(), record["image"])
        size = {"height": int(record["height"]), "width": int(record["width"])}
        separator = "\n" if number == 1 else ",\n"
        file.write(separator + json.dumps({"id": number, "file_name": name, **size}))
        for row in _annotations(record, number):
            count += 1
            rows.write(("\n" if count == 1 else ",\n") + json.dumps({"id": count, **row}))
        progress(f"writing {split}", number)
    file.write('],\n"annotations": [')
    rows.seek(0)
    shutil.copyfileobj(rows, file)
    file.write("]}\n")


def _annotations(record: dict, image_id: int):
    """COCO's rows of a record, without their ids."""
    height, width = int(record["height"]), int(record["width"])
    sides = np.array([width, height, width, height], np.float64)
    parts = (record["boxes"] * sides, record["labels"], record["crowd"], record["area"])
    for box, label, crowd, area, mask in zip(*parts, record["masks"], strict=True):
        left, top, right, bottom = box.tolist()
        row = {
            "image_id": image_id,
            "category_id": int(label) + 1,
            "bbox": [left, top, right - left, bottom - top],
            "area": float(area) * height * width,
            "iscrowd": int(crowd),
        }
        if mask:
            row["segmentation"] = {"size": [height, width], "counts": mask.decode("ascii")}
        yield row


def _write_picture(folder: Path, image_id: str, encoded: bytes) -> str:
    """Write a picture's bytes; return its name inside the folder."""
    inside = PurePosixPath(image_id)
    if inside.is_absolute() or ".." in inside.parts or not inside.name:
        raise ValueError(f"the image_id {image_id!r} is no name for a file inside {folder}.")
    suffix = _suffix(encoded)
    name = image_id if inside.suffix.lower() in _suffixes(suffix) else f"{image_id}{suffix}"
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encoded)
    return name


def _suffix(encoded: bytes) -> str:
    form = measure_picture(encoded).format
    return ".jpg" if form == "JPEG" else f".{form.lower()}"


def _suffixes(suffix: str) -> set[str]:
    """All suffixes of the format that one is of."""
    known = Image.registered_extensions()
    return {other for other, form in known.items() if form == known.get(suffix)}
