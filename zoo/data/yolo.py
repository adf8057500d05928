"""Reader of YOLO data sets: a text file of objects beside each picture, and one data.yaml.

    images/train/a.jpg  labels/train/a.txt     0 0.5 0.5 0.25 0.125     a line an object

A line holds the class's number and the box's centre and size, or the points of a polygon, all in
fractions of the picture. The last `images` in a picture's path is `labels` in its label file's;
where there is none, both lie side by side. A picture without a label file has no objects, but a
folder of pictures without a folder of labels is an oversight.
"""

import math
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from zoo.data.annotation_files import read_annotation, text_lines
from zoo.data.layout import Defect, FoundObject, FoundPicture, Layout, picture_id, shown
from zoo.data.listing import sorted_files
from zoo.data.yolo_yaml import YoloData, read_yolo_yaml

_BESIDE_PICTURES = (".txt", ".npy", ".cache", ".json", ".yaml", ".yml")  # what tools leave there
_NO_LABELS = frozenset({"classes.txt"})  # what tools for drawing boxes leave beside the labels


def open_yolo(path: Path) -> Layout:
    """Open a YOLO data set.

    Args:
        path: its data.yaml, or the folder that holds it.
    Raises: ValueError: the data.yaml cannot be used, or names what is not there.
    """
    path = Path(path).absolute()
    data = read_yolo_yaml(path)

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        for place in data.places[split]:
            alone = len(data.places[split]) == 1 and place.is_dir()
            above = place if alone else data.root  # what ids begin below
            for found in _in_folder(place) if place.is_dir() else _in_list(place, data.root):
                if isinstance(found, Defect):
                    yield found
                else:
                    yield from _picture(*found, above, data.class_names)

    return Layout("yolo", data.class_names, tuple(data.places), pictures, _roots(data, path))


def label_file(picture: str) -> str:
    """Where the objects of a picture are: images/a.jpg -> labels/a.txt."""
    return f"{os.path.splitext(_swapped(picture))[0]}.txt"


def _swapped(path: str) -> str:
    """A path with `labels` for its last `images`."""
    parts = path.split(os.sep)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return os.sep.join(parts)


def _in_folder(folder: Path) -> Iterator[tuple[str, str] | Defect]:
    """(picture, its label file) of all pictures below a folder; a label file alone is a defect."""
    labels = Path(_swapped(str(folder)))
    folders = [folder, labels] if labels.is_dir() else [folder]

    def key(name: str) -> str:
        return name if name.endswith(".txt") else label_file(name)

    for label, group in groupby(sorted_files(folders, key), key=lambda pair: pair[0]):
        names = [name for _, name in group]
        pictures = [name for name in names if not name.endswith(_BESIDE_PICTURES)]
        yield from ((picture, label) for picture in pictures)
        is_label = labels == folder or Path(label).is_relative_to(labels)
        if label in names and is_label and not pictures and Path(label).name not in _NO_LABELS:
            message = "a label file whose picture is not there. Was it left behind?"
            yield Defect("annotation_without_picture", label, None, message)


def _in_list(file: Path, root: Path) -> Iterator[tuple[str, str] | Defect]:
    """(picture, its label file) of the pictures that a text list names."""
    for number, line in text_lines(file):
        name = line.strip().replace("\\", "/")  # as Windows writes it
        if not name:
            continue
        tried = [os.path.join(base, name.removeprefix("./")) for base in (file.parent, root)]
        picture = next(filter(os.path.lexists, tried), None) if "\0" not in name else None
        if picture is None:
            message = f"there is no picture {shown(name)} in {file.parent} or {root}."
            yield Defect("missing_picture", str(file), number, message)
        else:
            yield picture, label_file(picture)


def _picture(name: str, label: str, above: Path, class_names) -> Iterator[FoundPicture | Defect]:
    """A picture with the objects of its label file, after the defects of that."""
    content: bytes | Defect = b""
    if os.path.lexists(label):
        content = read_annotation(Path(label))
    elif not os.path.isdir(os.path.dirname(label)):
        message = f"there is no folder of labels for it, {os.path.dirname(label)}."
        content = Defect("picture_without_annotation", name, None, message)
    if isinstance(content, Defect):
        if content.kind != "empty_file":  # which says that nothing is in the picture
            yield content
            return
        content = b""
    objects = {}  # box and class -> object
    for number, text in enumerate(content.decode("utf-8-sig", "replace").split("\n"), 1):
        row = _read_row(text.split(), label, number, class_names)
        if isinstance(row, Defect):
            yield row
        elif row is not None and (row.name, row.box) in objects:
            first = objects[row.name, row.box].line
            message = f"the same class and box as in line {first}; it counts once."
            yield Defect("duplicate_object", label, number, message)
        elif row is not None:
            objects[row.name, row.box] = row
    image_id = picture_id(os.path.relpath(name, above))
    found = tuple(objects.values())
    yield FoundPicture(Path(name), image_id, found, label, unit="fractions")


def _read_row(fields: list[str], label: str, line: int, class_names) -> FoundObject | Defect | None:
    """The object of a line; None where the line is blank."""
    if not fields:
        return None

    def defect(kind: str, message: str) -> Defect:
        return Defect(kind, label, line, message)

    if len(fields) != 5 and (len(fields) < 7 or len(fields) % 2 == 0):
        hint = " Is the last one a confidence?" if len(fields) == 6 else ""
        message = f"expected a class and 4 numbers, or 3 or more points; got {len(fields)} values."
        return defect("malformed_line", message + hint)
    wrong = next((field for field in fields if not _is_number(field)), None)
    if wrong is not None:
        return defect("wrong_type", f"expected numbers; got {shown(wrong)}.")
    number, *values = map(float, fields)
    if not number.is_integer():
        return defect("wrong_type", f"a class must be a whole number; got {fields[0]}.")
    if not 0 <= number < len(class_names):
        message = f"a class must be 0 to {len(class_names) - 1}, as in names; got {fields[0]}."
        return defect("unknown_class", message)
    polygon = len(values) > 4
    box = _around(values) if polygon else _from_centre(*values)
    segmentation = [values] if polygon else None
    return FoundObject(box, class_names[int(number)], segmentation=segmentation, line=line)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _from_centre(x: float, y: float, width: float, height: float):
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _around(points: list[float]):
    """The box around a polygon [x, y, x, y, ...]; NaN where one of them is."""
    if not all(map(math.isfinite, points)):
        return (math.nan,) * 4
    across, down = points[::2], points[1::2]
    return min(across), min(down), max(across), max(down)


def _roots(data: YoloData, opened: Path) -> tuple[Path, ...]:
    """All that holds the data set, without what lies below the opened path."""
    places = [place for several in data.places.values() for place in several]
    places += [data.file, data.root, *(Path(_swapped(str(place))) for place in places)]
    return tuple(place for place in places if not place.is_relative_to(opened))
