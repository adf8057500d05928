"""COCO's segmentations -> compressed run lengths, checked before pycocotools sees them.

pycocotools computes in C and trusts what it gets: counts beyond the picture write past the mask's
end, and a polygon of huge coordinates takes all memory.
"""

import itertools
import math
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from zoo.run_lengths import decode_mask, encode_mask

MASK_FRAMING = 1.0  # sizes of the picture that a polygon may leave it by


class MaskError(ValueError):
    """Why a segmentation makes no mask."""


def encode_segmentation(segmentation: Any, size: tuple[int, int]) -> bytes:
    """Return COCO's compressed run lengths of a segmentation.

    Args:
        segmentation: polygons [[x, y, x, y, ...], ...], or an RLE {"size", "counts"} whose counts
            are numbers or compressed.
        size: (height, width) of the picture it belongs to.
    Raises: MaskError: it is neither, or does not fit the picture.
    """
    if isinstance(segmentation, dict):
        return _from_rle(segmentation, size)
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, size)
    raise MaskError(f"expected polygons or an RLE; got {type(segmentation).__name__}.")


def upright_mask(counts: bytes, stored: tuple[int, int], orientation: int) -> bytes:
    """Turn a mask of the stored picture as its EXIF orientation says."""
    return encode_mask(upright_array(decode_mask(counts, stored), orientation))


def upright_array(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels (height, width, ...) as an EXIF orientation 1..8 says."""
    if orientation >= 5:  # 5..8 are 1, 4, 2 and 3 transposed
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return pixels[rows, columns]


def _from_polygons(polygons: list, size: tuple[int, int]) -> bytes:
    height, width = size
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise MaskError("a polygon must be [x, y, x, y, ...] with at least three points.")
        if not all(map(_is_finite, polygon)):
            raise MaskError("a polygon's coordinates must be finite numbers.")
        for values, side in ((polygon[::2], width), (polygon[1::2], height)):
            if min(values) < -MASK_FRAMING * side or max(values) > (1 + MASK_FRAMING) * side:
                raise MaskError("a polygon lies far outside its picture.")
    rles = coco_mask.frPyObjects([[float(v) for v in polygon] for polygon in polygons], *size)
    return _filled(coco_mask.merge(rles)["counts"], size)


def _from_rle(rle: dict, size: tuple[int, int]) -> bytes:
    if rle.get("size") != list(size):
        raise MaskError(
            f"an RLE's size must be the picture's {list(size)}; got {rle.get('size')!r}."
        )
    counts = rle.get("counts")
    compressed = isinstance(counts, str)
    runs = _decompress(counts) if compressed else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise MaskError("an RLE's counts must be lengths of runs, or a compressed text of them.")
    if sum(runs) != size[0] * size[1]:
        raise MaskError(f"an RLE's counts must add up to {size[0] * size[1]}; got {sum(runs)}.")
    if compressed:
        return _filled(counts.encode("ascii"), size)
    encoded = coco_mask.frPyObjects({"size": list(size), "counts": runs}, *size)
    return _filled(encoded["counts"], size)


def _filled(counts: bytes, size: tuple[int, int]) -> bytes:
    if coco_mask.area({"size": list(size), "counts": counts}) == 0:
        raise MaskError("a mask without a pixel.")
    return counts


def _decompress(counts: str) -> list[int] | None:
    """COCO's text -> runs: base 32 with a sign, from the fourth on relative to the last but one.

    Reference: rleFrString of the COCO API. None where the text is none of these.
    """
    runs: list[int] = []
    digits = iter(counts)
    for first in digits:
        value = 0
        for place, letter in enumerate(itertools.chain(first, digits)):
            digit = ord(letter) - 48
            if not 0 <= digit < 64 or place > 6:
                return None
            value |= (digit & 31) << (5 * place)
            if not digit & 32:
                value -= (digit & 16) and 1 << (5 * place + 5)
                break
        else:
            return None
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e9 and math.isfinite(value)
