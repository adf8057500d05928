"""The kinds of defects of data sets, and what becomes of each.

Words: what is *left out* is not in the data set that a model sees, and `on_defect: stop` refuses a
set with such a defect; what is *told* is used all the same, repaired where need be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Kind:
    """What becomes of a defect of this kind (`picture`, `box`: left out), and what it is."""

    effect: Literal["picture", "box", "told"]
    meaning: str


KINDS: Mapping[str, Kind] = {
    "missing_picture": Kind("picture", "a list names a picture that is not there"),
    "annotation_without_picture": Kind("picture", "annotated, but the picture is not there"),
    "picture_without_annotation": Kind("picture", "the picture is there, its annotation is not"),
    "unlisted_picture": Kind("told", "a picture beside the others that no annotation file names"),
    "empty_file": Kind("picture", "a picture or annotation file of zero bytes"),
    "unreadable_file": Kind("picture", "no permission, a loop of links, or not a file"),
    "not_a_picture": Kind("picture", "no format that can be read"),
    "truncated_picture": Kind("picture", "the file ends before the picture does"),
    "damaged_picture": Kind("picture", "the pixels cannot be decoded"),
    "unsupported_picture": Kind("picture", "float or 32-bit pixels, whose range nobody agrees on"),
    "oversized_picture": Kind("picture", "more than 89 million pixels"),
    "wrong_extension": Kind("told", "the content has another format than the name says"),
    "non_utf8_path": Kind("told", "a file name that is not UTF-8; its id has escapes"),
    "size_mismatch": Kind("picture", "the annotation claims another size than the picture has"),
    "duplicate_id": Kind("picture", "a picture that its split has already; the first one counts"),
    "duplicate_annotation_id": Kind("box", "an annotation's id that is taken; the first counts"),
    "malformed_annotation": Kind("picture", "an annotation that cannot be read as one"),
    "malformed_line": Kind("box", "a line of a text or CSV file with too few or too many values"),
    "missing_key": Kind("picture", "a key that must be there is not"),
    "missing_box": Kind("box", "an object without a box"),
    "wrong_type": Kind("box", "a value of the wrong type, such as text for a number"),
    "duplicate_object": Kind("told", "an object that its picture has already; it counts once"),
    "missing_class": Kind("box", "an object without a class"),
    "empty_class": Kind("told", "a class that a split has no picture of"),
    "unknown_class": Kind("box", "a class that the data set does not declare"),
    "nonfinite_box": Kind("box", "a coordinate that is NaN or infinite"),
    "inverted_box": Kind(
        "box", "its right edge lies left of its left one, or its bottom above its top"
    ),
    "degenerate_box": Kind("box", "a box of zero width or height"),
    "box_outside": Kind("box", "a box wholly outside the picture"),
    "box_partly_outside": Kind("told", "a box that leaves the picture; it is clipped"),
    "bad_mask": Kind("told", "polygons or RLE that make no mask; the box is kept without"),
    "unknown_color": Kind("picture", "a mask has a colour that is no class's"),
    "unknown_index": Kind("picture", "a mask has an index that is no class's"),
    "bad_area": Kind("told", "an area that is no positive number; the box's is taken"),
}


def is_left_out(kind: str) -> bool:
    """Is something left out because of a defect of this kind?"""
    return kind not in KINDS or KINDS[kind].effect != "told"
