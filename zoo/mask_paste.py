"""From a mask head's small square masks to masks of the picture, in NumPy.

Shape letters: K objects, (m, m) the head's output, (h, w) the picture.
"""

from __future__ import annotations

import numpy as np

# A ring of zeros around the head's output, so that masks fade out at their boxes' borders.
PADDING = 1


def paste_masks(
    probabilities: np.ndarray,
    boxes: np.ndarray,
    size: tuple[int, int],
    *,
    threshold: float = 0.5,
) -> np.ndarray:
    """Resize each mask to its box and lay it into an empty picture.

    Only what lies in the picture is computed, a mask at a time: beside the result no more than one
    picture of float32 is held.

    Args:
        probabilities: (K, m, m) float in 0..1.
        boxes: (K, 4) float xyxy, pixels of the picture; they may reach beyond it.
        size: (h, w) of the picture.
        threshold: a pixel belongs to the object where its probability is greater.
    Returns: (K, h, w) bool. Where a box is not finite its mask is empty.
    Raises: ValueError if the shapes do not fit.
    Reference: He 2017, Mask R-CNN, section 3.1; rounding as in torchvision: boxes grow with the
        ring around the mask, are cut to whole pixels, and both ends belong to them.
    """
    probabilities = np.asarray(probabilities, np.float32)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    if probabilities.ndim != 3 or len(probabilities) != len(boxes):
        raise ValueError(
            f"probabilities must be (K, m, m) with K={len(boxes)} as the boxes have it; got "
            f"{probabilities.shape}. Is the class axis still there?"
        )
    pasted = np.zeros((len(boxes), *size), bool)
    for mask, box, picture in zip(probabilities, boxes, pasted, strict=True):
        if np.isfinite(box).all():
            framed = np.pad(mask, PADDING)
            rows, down = _resizing(box[1], box[3], framed.shape[0], size[0])
            columns, across = _resizing(box[0], box[2], framed.shape[1], size[1])
            picture[rows, columns] = down @ framed @ across.T > threshold
    return pasted


def _resizing(low, high, cells: int, limit: int) -> tuple[slice, np.ndarray]:
    """Return the pixels of one axis that a box covers, and the weight of each cell in each.

    Args:
        low, high: the box's ends in pixels; cells: the framed mask's size; limit: the picture's.
    Returns: a slice of N pixels, and (N, cells) float32.
    """
    centre = (low + high) * np.float32(0.5)
    half = (high - low) * np.float32(0.5) * np.float32(cells / (cells - 2 * PADDING))
    start, end = int(centre - half), int(centre + half)
    length = max(end - start + 1, 1)
    first, last = min(max(start, 0), limit), min(end + 1, limit)
    pixels = np.arange(first, max(first, last), dtype=np.float64)
    source = np.maximum((pixels - start + 0.5) * (cells / length) - 0.5, 0.0)
    source = np.minimum(source, cells - 1)
    distance = np.abs(source[:, None] - np.arange(cells))
    weights = np.maximum(1.0 - distance, 0.0).astype(np.float32)
    return slice(first, first + len(pixels)), weights
