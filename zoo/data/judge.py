"""What a reader found -> a record, and what is wrong with it: the same for all formats.

Boxes and masks come out in the upright picture, whatever frame the annotation was made in: where
EXIF swaps height and width, the claimed size tells the frame; where nothing tells, it is upright.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.class_maps import encode_class_map, map_of_objects
from zoo.data.layout import Defect, FoundObject, FoundPicture, printable, shown
from zoo.data.mask_files import read_mask
from zoo.data.masks import MaskError, encode_segmentation, upright_mask
from zoo.data.picture_facts import (
    PictureError,
    PictureFacts,
    expected_format,
    measure_picture,
    read_bytes,
)

_ROUNDING = 0.5 + 1e-6  # pixels that a box may leave its picture by without a word
_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class JudgedObject:
    """An object that can be used; box and area are fractions of the upright picture."""

    box: _Box
    label: int
    crowd: bool
    area: float
    mask: bytes


@dataclass(frozen=True)
class JudgedPicture:
    """A picture that can be used, and what is wrong with it or was left out of it.

    Attributes:
        encoded: its bytes.
        size: (height, width), upright.
        segmentation: the class of every pixel, a PNG; b"" where objects were found instead.
    """

    found: FoundPicture
    encoded: bytes
    size: tuple[int, int]
    objects: tuple[JudgedObject, ...]
    defects: tuple[Defect, ...]
    segmentation: bytes = b""


def judge_picture(
    found: FoundPicture, label_of: Mapping[str, int]
) -> JudgedPicture | tuple[Defect, ...]:
    """Read and decode a picture, and judge its objects.

    Args:
        found: what the reader gave.
        label_of: class name -> label.
    Returns: the picture, or the defects where it cannot be used.
    """
    told = []
    try:
        encoded = found.image if isinstance(found.image, bytes) else read_bytes(found.image)
        facts = measure_picture(encoded)
        told += _remarks(found, facts)
        frame = _frame(found, facts)
    except PictureError as flaw:
        return (*told, _picture_defect(found, flaw))
    objects, defects = judge_objects(found, facts, frame, label_of)
    defects = (*told, *defects)
    if found.segmentation is None:
        return JudgedPicture(found, encoded, facts.upright, objects, defects)
    try:
        classes = _class_map(found.segmentation, objects, facts)
    except PictureError as flaw:
        return (*defects, Defect(flaw.kind, str(found.segmentation.path), None, flaw.message))
    return JudgedPicture(found, encoded, facts.upright, (), defects, encode_class_map(classes))


def _class_map(segmentation, objects, facts: PictureFacts) -> np.ndarray:
    if segmentation != "objects":
        return read_mask(segmentation, facts)
    return map_of_objects(facts.upright, objects)


def judge_objects(
    found: FoundPicture, facts: PictureFacts, frame: tuple[int, int], label_of: Mapping[str, int]
) -> tuple[tuple[JudgedObject, ...], list[Defect]]:
    """Judge the objects of a picture whose facts are known.

    Args:
        frame: (height, width) that the annotation speaks of: the upright or the stored picture.
    Returns: the objects that can be used, and the defects.
    """
    good, defects = [], []
    for thing in found.objects:
        flaws: list[tuple[str, str]] = []
        judged = _judge_object(thing, found.unit, facts, frame, label_of, flaws)
        if judged is not None:
            good.append(judged)
        line = found.line if thing.line is None else thing.line
        defects += [Defect(kind, found.file, line, message) for kind, message in flaws]
    return tuple(good), defects


def _judge_object(thing: FoundObject, unit, facts, frame, label_of, flaws) -> JudgedObject | None:
    """The object, or None; what is wrong joins `flaws`."""
    if not thing.name:
        flaws.append(("missing_class", "an object without a class."))
        return None
    if thing.name not in label_of:
        message = f"the class {shown(thing.name)} is not one of the data set's."
        flaws.append(("unknown_class", message))
        return None
    height, width = frame
    scale = (width, height) * 2 if unit == "pixels" else (1, 1, 1, 1)
    box = _judge_box(thing.box, scale, frame, flaws)
    if box is None:
        return None
    mask = _judge_mask(_in_pixels(thing.segmentation, unit, frame), facts, frame, flaws)
    area = _judge_area(thing.area, box, height * width, flaws)
    if frame != facts.upright:
        box = _upright_box(box, facts.orientation)
    return JudgedObject(box, label_of[thing.name], thing.crowd, area, mask)


def _judge_box(box: _Box, scale, frame, flaws) -> _Box | None:
    """The box in fractions 0..1 of the frame, or None."""
    height, width = frame
    problem = _box_problem(box, scale)
    if problem is None:
        fractions = [value / side for value, side in zip(box, scale, strict=True)]
        clipped = tuple(min(max(value, 0.0), 1.0) for value in fractions)
        left, top, right, bottom = np.asarray(clipped, np.float32)
        if not (left < right and top < bottom):
            problem = ("degenerate_box", f"a box of no width or height, {_numbers(box)}.")
    if problem is not None:
        flaws.append(problem)
        return None
    sides = (width, height) * 2
    beyond = max(abs(a - b) * side for a, b, side in zip(fractions, clipped, sides, strict=True))
    if beyond > _ROUNDING:
        message = f"{_numbers(box)} leaves the picture of {width}x{height} pixels; it is clipped."
        flaws.append(("box_partly_outside", message))
    return clipped


def _box_problem(box: _Box, scale) -> tuple[str, str] | None:
    if not all(map(math.isfinite, box)):
        return "nonfinite_box", f"a box must have finite coordinates; got {_numbers(box)}."
    left, top, right, bottom = box
    if right < left or bottom < top:
        message = f"a box must be left, top, right, bottom; got {_numbers(box)}. Swapped corners?"
        return "inverted_box", message
    if right == left or bottom == top:
        return "degenerate_box", f"a box of no width or height, {_numbers(box)}."
    if right <= 0 or bottom <= 0 or left >= scale[0] or top >= scale[1]:
        unit = "" if scale[0] == 1 else f" of {scale[0]}x{scale[1]} pixels"
        return "box_outside", f"{_numbers(box)} lies outside the picture{unit}."
    return None


def _in_pixels(segmentation, unit: str, frame: tuple[int, int]):
    """Polygons whose points are fractions, as YOLO has them, in pixels of the frame."""
    if unit == "pixels" or not isinstance(segmentation, list):
        return segmentation
    height, width = frame
    return [
        [value * (height if place % 2 else width) for place, value in enumerate(polygon)]
        for polygon in segmentation
    ]


def _judge_mask(segmentation, facts: PictureFacts, frame, flaws) -> bytes:
    if not segmentation:
        return b""
    try:
        counts = encode_segmentation(segmentation, frame)
    except MaskError as problem:
        flaws.append(("bad_mask", f"{problem} The box is kept without a mask."))
        return b""
    turned = frame != facts.upright
    return upright_mask(counts, frame, facts.orientation) if turned else counts


def _judge_area(area: float | None, box: _Box, pixels: int, flaws) -> float:
    left, top, right, bottom = box
    if area is not None and not (math.isfinite(area) and area > 0):
        flaws.append(("bad_area", f"an area must be positive; got {area}. The box's is taken."))
        area = None
    return (right - left) * (bottom - top) if area is None else area / pixels


def _remarks(found: FoundPicture, facts: PictureFacts) -> list[Defect]:
    """What is told of a picture that is used all the same."""
    if not isinstance(found.image, Path):
        return []
    remarks, expected = [], expected_format(found.image)
    if expected not in (None, facts.format):
        message = f"named {found.image.suffix}, but it is {facts.format}. It is used; rename it?"
        remarks.append(("wrong_extension", message))
    try:
        str(found.image).encode()
    except UnicodeEncodeError:
        message = f"a name that is not UTF-8; its id is {printable(found.image_id)}. Rename it?"
        remarks.append(("non_utf8_path", message))
    return [Defect(kind, str(found.image), None, message) for kind, message in remarks]


def _frame(found: FoundPicture, facts: PictureFacts) -> tuple[int, int]:
    """(height, width) of the picture the annotation speaks of."""
    if found.size is None or found.size == facts.upright:
        return facts.upright
    if facts.is_turned and found.size == facts.stored:
        return facts.stored
    claimed, real = (f"{width}x{height}" for height, width in (found.size, facts.upright))
    message = f"the annotation is for {claimed} pixels, the picture has {real}. Was it resized?"
    raise PictureError("size_mismatch", message)


def _upright_box(box: _Box, orientation: int) -> _Box:
    """Turn fractions of the stored picture as an EXIF orientation 5..8 says."""
    left, top, right, bottom = box
    left, top, right, bottom = top, left, bottom, right  # transposed
    if orientation in (6, 7):
        left, right = 1 - right, 1 - left
    if orientation in (7, 8):
        top, bottom = 1 - bottom, 1 - top
    return left, top, right, bottom


def _picture_defect(found: FoundPicture, flaw: PictureError) -> Defect:
    """In the annotation where it names a picture that is not there or another; else the picture."""
    own = isinstance(found.image, Path) and flaw.kind not in (
        "annotation_without_picture",
        "size_mismatch",
    )
    if own:
        return Defect(flaw.kind, str(found.image), None, flaw.message)
    return Defect(flaw.kind, found.file, found.line, f"{found.image_id}: {flaw.message}")


def _numbers(box: _Box) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in box) + ")"
