"""What a reader of annotation files finds: pictures with their objects, and what is wrong.

A reader knows one format and nothing else. It yields what stands in the files, in their words and
unchecked; whether a picture opens and a box makes sense is judged once, for all formats, in
`zoo.data.index`. Readers stream: what they hold does not grow with the number of pictures.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

PICTURE_SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
    )
)
_SPLIT_NAMES = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Defect:
    """Something in a data set that cannot be used as it is.

    Attributes:
        kind: a key of `zoo.data.defects.KINDS`, what counts are kept by: `degenerate_box`.
        file: the annotation file or the picture.
        line: 1-based line in `file`, where it has lines.
        message: what was expected, what came, and the remedy where one is likely.
    """

    kind: str
    file: str
    line: int | None
    message: str

    def __post_init__(self):
        object.__setattr__(self, "file", printable(self.file))
        object.__setattr__(self, "message", printable(self.message))

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


@dataclass(frozen=True)
class FoundObject:
    """An object as its annotation has it.

    Attributes:
        box: left, top, right, bottom, in the picture's `unit`; may be wrong in every way.
        name: of the class.
        crowd: the box covers a group that is not counted.
        area: of the object, square pixels; None: the box's.
        segmentation: COCO's, polygons [[x, y, x, y, ...], ...] in the picture's `unit` or an RLE
            {"size", "counts"}.
        line: in the annotation file.
    """

    box: tuple[float, float, float, float]
    name: str
    crowd: bool = False
    area: float | None = None
    segmentation: list | dict | None = None
    line: int | None = None


@dataclass(frozen=True)
class FoundPicture:
    """A picture as its data set describes it.

    Attributes:
        image: the picture's file, or its bytes where it has none of its own.
        image_id: unique in its split.
        objects: in the order of the annotation.
        file: the annotation file, for messages.
        line: where the picture is named in `file`.
        size: (height, width) that the annotation claims, or None.
        unit: of the boxes: pixels of the picture, or fractions 0..1 of it.
    """

    image: Path | bytes
    image_id: str
    objects: tuple[FoundObject, ...]
    file: str
    line: int | None = None
    size: tuple[int, int] | None = None
    unit: Literal["pixels", "fractions"] = "pixels"


@dataclass(frozen=True)
class Layout:
    """A data set in some format, opened but not read.

    Attributes:
        name: of the format: voc, coco, yolo, csv, folder, instance_masks, tfds.
        class_names: in the order of the labels.
        splits: names of the splits.
        pictures: split -> its pictures in a fixed order, with defects where they are met.
        roots: files and folders that hold all of it; the cache is rebuilt when one changes. Empty:
            the path that was opened.
    """

    name: str
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    pictures: Callable[[str], Iterator[FoundPicture | Defect]]
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True)
class CocoIds:
    """What a COCO annotation file calls the pictures and classes of a split.

    Attributes:
        images: our image_id -> its image id.
        categories: class name -> its category id.
    """

    images: Mapping[str, int | str]
    categories: Mapping[str, int | str]


def printable(text: str) -> str:
    """Make a text one line that any terminal takes: what else is in it shows as an escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text.encode("utf-8", "backslashreplace").decode()
    )


def shown(value: object) -> str:
    """Quote a value of an annotation for a message, the beginning of it where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of 5,000 digits; a list in itself
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def split_name(text: str) -> str:
    """Return what we call a split: train2017 and training are train, valid and validation val."""
    name = re.sub(r"(?<=[a-z])_?(19|20)\d\d$", "", text, flags=re.IGNORECASE)
    return _SPLIT_NAMES.get(name.lower(), name)


def split_names(texts: Iterable[str]) -> dict[str, str]:
    """Return {our name: theirs} of splits, train, val and test first; theirs where ours meet."""
    texts = sorted(texts)
    ours = [split_name(text) for text in texts]
    found = {
        name if ours.count(name) == 1 else text: text
        for name, text in zip(ours, texts, strict=True)
    }
    first = [name for name in ("train", "val", "test") if name in found]
    return {name: found[name] for name in dict.fromkeys([*first, *found])}


def picture_id(inside: str) -> str:
    """Return the id of a picture: its path below the pictures' folder, without the suffix."""
    path = PurePosixPath(inside.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in PICTURE_SUFFIXES else str(path)
