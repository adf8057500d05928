"""What a reader of annotation files finds: pictures with their objects, and what is wrong.

A reader knows one format and nothing else. It yields what stands in the files, in their words and
unchecked; whether a picture opens and a box makes sense is judged once, for all formats, in
`zoo.data.index`. Readers stream: what they hold does not grow with the number of pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Defect:
    """Something in a data set that cannot be used as it is.

    Attributes:
        kind: one word or a few with underscores, what counts are kept by: `degenerate_box`.
        file: the annotation file or the picture.
        line: 1-based line in `file`, where it has lines.
        message: what was expected, what came, and the remedy where one is likely.
    """

    kind: str
    file: str
    line: int | None
    message: str

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
        segmentation: COCO's, polygons [[x, y, x, y, ...], ...] or an RLE {"size", "counts"}.
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
        name: of the format: voc, coco, yolo, csv, folder, tfds.
        class_names: in the order of the labels.
        splits: names of the splits.
        pictures: split -> its pictures in a fixed order, with defects where they are met.
    """

    name: str
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    pictures: Callable[[str], Iterator[FoundPicture | Defect]]
