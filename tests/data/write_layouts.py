"""One small data set written in four layouts, as their usual tools write them.

A data set here: split -> pictures; each is (stem, (height, width), objects), an object is
(class name, box in pixels).
"""

import csv
import io
import json
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

CLASS_NAMES = ("cat", "dog", "emu")
WRITTEN = ("voc", "coco", "yolo", "csv")


def generate(seed: int, *, sizes, splits=(("train", 8), ("val", 4))) -> dict:
    """Make pictures of some sizes with 0 to 4 boxes of whole pixels; every class occurs in each."""
    rng = np.random.default_rng(seed)
    names = iter(range(10**6))
    return {
        split: [
            (f"{split}{next(names):02d}", size, _objects(rng, size, number))
            for number, size in enumerate(_taken(rng, sizes, count))
        ]
        for split, count in splits
    }


def write_layout(kind: str, folder: Path, dataset: dict) -> Path:
    """Write a data set; returns what the reader of this kind opens."""
    folder.mkdir(parents=True)
    return {"voc": _voc, "coco": _coco, "yolo": _yolo, "csv": _csv}[kind](folder, dataset)


def encoded_picture(stem: str, size: tuple[int, int]) -> bytes:
    """The bytes of a picture: noise that its name determines."""
    rng = np.random.default_rng(list(stem.encode()))
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _taken(rng, sizes, count: int) -> list:
    return [sizes[index] for index in rng.integers(0, len(sizes), count)]


def _objects(rng, size, number: int) -> tuple:
    if number == 1:
        return ()  # a picture with nothing in it
    height, width = size
    things = []
    for index in range(1 + number % 4):
        left, right = sorted(rng.choice(width + 1, 2, replace=False).tolist())
        top, bottom = sorted(rng.choice(height + 1, 2, replace=False).tolist())
        things.append((CLASS_NAMES[(number + index) % 3], (left, top, right, bottom)))
    return tuple(dict.fromkeys(things))


def _write_pictures(folder: Path, pictures) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, size, _ in pictures:
        (folder / f"{stem}.png").write_bytes(encoded_picture(stem, size))


def _voc(folder: Path, dataset: dict) -> Path:
    for part in ("Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    for split, pictures in dataset.items():
        _write_pictures(folder / "JPEGImages", pictures)
        stems = "".join(f"{stem}\n" for stem, _, _ in pictures)
        (folder / "ImageSets/Main" / f"{split}.txt").write_text(stems)
        for stem, size, objects in pictures:
            (folder / "Annotations" / f"{stem}.xml").write_text(_voc_xml(stem, size, objects))
    return folder


def _voc_xml(stem: str, size, objects) -> str:
    edges = ("xmin", "ymin", "xmax", "ymax")
    boxes = [
        f"<object><name>{name}</name><difficult>0</difficult><bndbox>"
        + "".join(f"<{edge}>{value}</{edge}>" for edge, value in zip(edges, box, strict=True))
        + "</bndbox></object>"
        for name, box in objects
    ]
    height, width = size
    return (
        f"<annotation><filename>{stem}.png</filename><size><width>{width}</width>"
        f"<height>{height}</height><depth>3</depth></size>{''.join(boxes)}</annotation>\n"
    )


def _coco(folder: Path, dataset: dict) -> Path:
    (folder / "annotations").mkdir()
    categories = [{"id": 10 * (n + 1), "name": name} for n, name in enumerate(CLASS_NAMES)]
    ids = {category["name"]: category["id"] for category in categories}
    for split, pictures in dataset.items():
        _write_pictures(folder / split, pictures)
        images, annotations = [], []
        for number, (stem, (height, width), objects) in enumerate(pictures, 1):
            named = {"id": number, "file_name": f"{stem}.png", "height": height, "width": width}
            images.append(named)
            for name, (left, top, right, bottom) in objects:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": ids[name],
                        "bbox": [left, top, right - left, bottom - top],
                        "area": (right - left) * (bottom - top),
                        "iscrowd": 0,
                    }
                )
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return folder


def _yolo(folder: Path, dataset: dict) -> Path:
    told = {split: f"images/{split}" for split in dataset}
    told |= {"path": ".", "nc": len(CLASS_NAMES), "names": list(CLASS_NAMES)}
    (folder / "data.yaml").write_text(yaml.safe_dump(told))
    for split, pictures in dataset.items():
        _write_pictures(folder / "images" / split, pictures)
        labels = folder / "labels" / split
        labels.mkdir(parents=True)
        for stem, (height, width), objects in pictures:
            rows = [_yolo_row(name, box, (width, height)) for name, box in objects]
            if rows:  # a picture with nothing in it has no file
                (labels / f"{stem}.txt").write_text("\n".join(rows) + "\n")
    return folder / "data.yaml"


def _yolo_row(name: str, box, sides) -> str:
    (left, top, right, bottom), (width, height) = box, sides
    centre = (left + right) / 2 / width, (top + bottom) / 2 / height
    size = (right - left) / width, (bottom - top) / height
    return " ".join(
        [str(CLASS_NAMES.index(name)), *(f"{value:.10g}" for value in (*centre, *size))]
    )


def _csv(folder: Path, dataset: dict) -> Path:
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASS_NAMES))
    for split, pictures in dataset.items():
        _write_pictures(folder / f"set_{split}" / "images", pictures)
        with (folder / f"set_{split}" / "label.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["img_name", "label", "xmin", "ymin", "xmax", "ymax"])
            for stem, _, objects in pictures:
                for name, box in objects:
                    table.writerow([f"{stem}.png", CLASS_NAMES.index(name), *box])
                if not objects:
                    table.writerow([f"{stem}.png", "", "", "", "", ""])
    return folder
