"""Class maps as records keep them, and class maps of a picture's objects.

A class map is (height, width) uint8: the class of every pixel of the upright picture, 0..C-1, or
`VOID` where it has none. A record has it as a PNG of one channel, which loses nothing and takes
some 5 kB of a picture of 500x375.
"""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zoo.colormaps import VOID
from zoo.data.masks import decode_mask

if TYPE_CHECKING:
    from zoo.data.judge import JudgedObject


def encode_class_map(classes: np.ndarray) -> bytes:
    """Return the PNG of a class map."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(classes, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def decode_class_map(encoded: bytes) -> np.ndarray:
    """Return the class map of a PNG."""
    return np.array(Image.open(io.BytesIO(encoded)))


def map_of_objects(size: tuple[int, int], objects: "Sequence[JudgedObject]") -> np.ndarray:
    """Paint objects into a class map; what they leave free is background, class 0.

    The smaller object lies over the larger one, since it would not be seen otherwise; of equal ones
    the later. Crowds, and the boxes of objects without a mask, are void: their pixels may be of the
    class or not. An object with a mask lies over them.

    Args:
        size: (height, width) of the upright picture.
        objects: their labels are classes.
    """
    classes = np.zeros(size, np.uint8)
    single = [one for one in objects if one.mask and not one.crowd]
    for one in objects:
        if one.crowd or not one.mask:
            classes[_pixels(one, size)] = VOID
    for one in sorted(single, key=lambda one: -one.area):
        classes[_pixels(one, size)] = one.label
    return classes


def _pixels(one: "JudgedObject", size: tuple[int, int]):
    """An index of the pixels of an object: those of its mask, else those its box touches."""
    if one.mask:
        return decode_mask(one.mask, size)
    left, top, right, bottom = (
        value * side for value, side in zip(one.box, (size[1], size[0]) * 2, strict=True)
    )
    rows = slice(math.floor(top), math.ceil(bottom))
    return rows, slice(math.floor(left), math.ceil(right))
