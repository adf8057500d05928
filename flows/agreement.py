"""Whether two backends found the same, detection by detection.

A metric tells rounding from a fault badly: of fifty objects, one whose overlap with its annotation
lies a hair from a threshold moves AP by thousandths, while every box is where it was.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from pycocotools import mask as mask_utils

# Below, detections come by the hundred from plain ground, with scores that tie: rounding decides
# which of them are kept.
MIN_SCORE = 0.1
SAME_IOU, SAME_SCORE = 0.999, 1e-3
SAME_MASK_IOU = 0.98  # a pixel on the edge of a mask may fall to either side


def agreement(
    first: Sequence[Mapping], second: Sequence[Mapping], *, min_score: float = MIN_SCORE
) -> float:
    """Return which share of the detections of either side the other side has too.

    Args:
        first, second: rows of COCO results of the same pictures: image_id, category_id, score, bbox
            [x, y, width, height] and perhaps segmentation, run lengths.
        min_score: those that score so much count.
    Returns: 0..1; 1 where there is nothing on either side.
    """
    ours, theirs = (_by_class(rows, min_score) for rows in (first, second))
    found, same = 0, 0
    for key in ours.keys() | theirs.keys():
        one, other = ours.get(key, []), theirs.get(key, [])
        matched = _same(one, other)
        found += len(one) + len(other)
        same += int(matched.any(axis=1).sum() + matched.any(axis=0).sum())
    return same / found if found else 1.0


def _by_class(rows: Sequence[Mapping], min_score: float) -> dict[tuple, list[Mapping]]:
    """Return the rows that count, by picture and class."""
    grouped: dict[tuple, list[Mapping]] = defaultdict(list)
    for row in rows:
        if row["score"] >= min_score:
            grouped[row["image_id"], row["category_id"]].append(row)
    return grouped


def _same(one: Sequence[Mapping], other: Sequence[Mapping]) -> np.ndarray:
    """(N, M) bool: which detections are one, by score, place and mask."""
    if not one or not other:
        return np.zeros((len(one), len(other)), bool)
    scores = [np.array([row["score"] for row in side]) for side in (one, other)]
    same = np.abs(scores[0][:, None] - scores[1]) <= SAME_SCORE
    same &= _ious(one, other, "bbox") >= SAME_IOU
    if all("segmentation" in row for row in [*one, *other]):
        same &= _ious(one, other, "segmentation") >= SAME_MASK_IOU
    return same


def _ious(one: Sequence[Mapping], other: Sequence[Mapping], region: str) -> np.ndarray:
    """(N, M) IoU of boxes or masks; empty ones are alike."""
    shapes = [[row[region] for row in side] for side in (one, other)]
    areas = [np.array([_area(shape) for shape in side]) for side in shapes]
    ious = mask_utils.iou(*shapes, [0] * len(other))
    return np.where((areas[0] == 0)[:, None] & (areas[1] == 0), 1.0, ious)


def _area(shape) -> float:
    return float(mask_utils.area(shape)) if isinstance(shape, dict) else shape[2] * shape[3]
