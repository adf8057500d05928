"""Average precision as Pascal VOC 2007 defines it: eleven points, one IoU threshold.

Reference: Everingham et al. 2010, The Pascal Visual Object Classes Challenge, section 4.2, with the
    rules of the development kit's VOCevaldet.m.
Deviation: widths have no "+1", as everywhere in this project.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as mask_utils

from zoo.metrics.coco import shapes
from zoo.results import Detections

RECALLS = np.arange(11) / 10


def voc07_ap(
    ground_truth: Sequence[Detections],
    predictions: Sequence[Detections],
    label: int,
    *,
    iou_threshold: float = 0.5,
    kind: str = "boxes",
) -> float:
    """Compute one class's 11-point AP; crowds are ignored as VOC ignores difficult objects.

    Every detection takes the object it overlaps most. The first to reach an object, by falling
    score, is right if the IoU is at least the threshold; each later one is wrong.

    Args:
        ground_truth, predictions: one Detections a picture, in the same order.
        label: the class, 0..C-1.
    Returns: 0..1, or -1 where no object of the class is annotated.
    """
    pairs = [
        (_of_class(truth, label), _of_class(answer, label))
        for truth, answer in zip(ground_truth, predictions, strict=True)
        if label in truth.labels or label in answer.labels
    ]
    num_objects = sum(int(_countable(truth).sum()) for truth, _ in pairs)
    if num_objects == 0:
        return -1.0
    judged = [_judge(truth, answer, iou_threshold, kind) for truth, answer in pairs]
    scores, hits, misses = (np.concatenate(column) for column in zip(*judged, strict=True))
    order = np.argsort(-scores, kind="stable")
    hits, misses = np.cumsum(hits[order]), np.cumsum(misses[order])
    recall = hits / num_objects
    precision = hits / np.maximum(hits + misses, 1)
    return float(np.mean([precision[recall >= r].max(initial=0.0) for r in RECALLS]))


def _judge(truth: Detections, answer: Detections, iou_threshold: float, kind: str):
    """Return scores, hits and misses (D,) of one picture's detections of one class."""
    answer = answer.take(np.argsort(-answer.scores, kind="stable"))
    hits, misses = np.zeros(len(answer), bool), np.ones(len(answer), bool)
    if len(truth) and len(answer):
        iou = mask_utils.iou(shapes(answer, kind), shapes(truth, kind), [0] * len(truth))
        best, reaches = iou.argmax(axis=1), iou.max(axis=1) >= iou_threshold
        countable = _countable(truth)[best]
        misses = ~reaches | countable
        for index in np.unique(best[reaches & countable]):
            first = np.flatnonzero(reaches & (best == index))[0]
            hits[first], misses[first] = True, False
    return answer.scores, hits, misses


def _of_class(detections: Detections, label: int) -> Detections:
    return detections.take(detections.labels == label)


def _countable(truth: Detections) -> np.ndarray:
    return np.ones(len(truth), bool) if truth.crowd is None else ~truth.crowd
