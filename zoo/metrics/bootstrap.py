"""Is the candidate better than the champion, or only luckier on these pictures?

Pictures are drawn again with replacement, both detectors are scored on the same draw, and the share
of draws the candidate wins is the confidence. Matches do not depend on the draw, so pycocotools
makes them once; a draw only weighs pictures.

Shape letters: I pictures, D detections of one class by falling score, T IoU thresholds, R recalls.
Reference: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pycocotools.cocoeval import COCOeval

from zoo.metrics.coco import COCO_METRICS, match_pictures
from zoo.metrics.detection import check_pairs, class_names
from zoo.results import Detections

RECALLS = np.linspace(0.0, 1.0, 101)
# metric: (IoU threshold or None for all ten, area range, detections a picture), as summarize() does
SETTINGS = {
    "ap": (None, "all", 100),
    "ap50": (0.5, "all", 100),
    "ap75": (0.75, "all", 100),
    "ap_small": (None, "small", 100),
    "ap_medium": (None, "medium", 100),
    "ap_large": (None, "large", 100),
    "ar_1": (None, "all", 1),
    "ar_10": (None, "all", 10),
    "ar_100": (None, "all", 100),
    "ar_small": (None, "small", 100),
    "ar_medium": (None, "medium", 100),
    "ar_large": (None, "large", 100),
}


def paired_bootstrap(
    ground_truth: Sequence[Detections],
    candidate: Sequence[Detections],
    champion: Sequence[Detections],
    *,
    metric: str = "ap50",
    resamples: int = 1000,
    seed: int = 0,
    kind: str = "boxes",
) -> float:
    """Estimate the confidence that the candidate is better.

    Args:
        ground_truth, candidate, champion: one Detections a picture, in the same order.
        metric: one of pycocotools' twelve numbers by the names of `detection_metrics`.
        resamples: draws.
        seed: of the draws.
        kind: what is compared, "boxes" or "masks".
    Returns: 0..1, the share of draws the candidate wins; a tie counts half.
    Raises: ValueError if the lists differ in length or are empty, or the metric is unknown.
    """
    if metric not in SETTINGS:
        raise ValueError(f"metric must be one of {', '.join(COCO_METRICS)}; got {metric!r}.")
    if not ground_truth:
        raise ValueError("paired_bootstrap needs at least one picture; got none.")
    rivals = []
    for predictions in (candidate, champion):
        check_pairs(ground_truth, predictions, kind)
        names = class_names(ground_truth, predictions)
        matches = match_pictures(ground_truth, predictions, kind=kind, num_classes=len(names))
        rivals.append(class_curves(matches, metric))
    better, worse = (partial(weighted_score, curves, metric=metric) for curves in rivals)
    return share_of_wins(better, worse, len(ground_truth), resamples=resamples, seed=seed)


def share_of_wins(
    candidate: Callable[[np.ndarray], float],
    champion: Callable[[np.ndarray], float],
    pictures: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> float:
    """Score two rivals on the same draws of pictures with replacement.

    Args:
        candidate, champion: weights (I,) int, how often each picture is drawn -> score.
        pictures: I.
        resamples: draws.
        seed: of the draws.
    Returns: 0..1, the share of draws the candidate wins; a tie counts half.
    """
    rng = np.random.default_rng(seed)
    wins = 0.0
    for _ in range(resamples):
        weights = np.bincount(rng.integers(0, pictures, pictures), minlength=pictures)
        better, worse = candidate(weights), champion(weights)
        wins += 0.5 if better == worse else float(better > worse)
    return wins / resamples


@dataclass(frozen=True)
class ClassCurve:
    """One class's matches: which picture, right, wrong, and objects a picture."""

    pictures: np.ndarray  # (D,) int
    hits: np.ndarray  # (T, D) bool
    misses: np.ndarray  # (T, D) bool
    objects: np.ndarray  # (I,) int


def class_curves(evaluator: COCOeval, metric: str) -> list[ClassCurve]:
    """Take from the matches what a metric needs, sorted as `COCOeval.accumulate` sorts."""
    params = evaluator.params
    iou, area, most = SETTINGS[metric]
    rows = slice(None) if iou is None else np.isclose(params.iouThrs, iou)
    num_pictures, num_areas = len(params.imgIds), len(params.areaRng)
    curves = []
    for category in range(len(params.catIds)):
        start = (category * num_areas + params.areaRngLbl.index(area)) * num_pictures
        matches = evaluator.evalImgs[start : start + num_pictures]
        curves.append(_curve(matches, rows, most))
    return curves


def _curve(matches: list[dict | None], rows, most: int) -> ClassCurve:
    objects = np.array([0 if m is None else np.count_nonzero(m["gtIgnore"] == 0) for m in matches])
    present = [(index, m) for index, m in enumerate(matches) if m is not None and m["dtScores"]]
    if not present:
        nothing = np.zeros((1, 0), bool)
        return ClassCurve(np.zeros(0, int), nothing, nothing, objects)
    scores = np.concatenate([m["dtScores"][:most] for _, m in present])
    order = np.argsort(-scores, kind="mergesort")
    pictures = np.concatenate([[index] * len(m["dtScores"][:most]) for index, m in present])
    matched = np.concatenate([m["dtMatches"][rows, :most] for _, m in present], axis=1) > 0
    ignored = np.concatenate([m["dtIgnore"][rows, :most] for _, m in present], axis=1)
    hits, misses = matched & ~ignored, ~matched & ~ignored
    return ClassCurve(pictures[order], hits[:, order], misses[:, order], objects)


def weighted_score(curves: list[ClassCurve], weights: np.ndarray, metric: str) -> float:
    """Compute the metric with picture i counted weights[i] times.

    Args:
        curves: one a class.
        weights: (I,) int.
    Returns: mean over the classes that are annotated in the draw, or -1 where none is.
    """
    measure = _average_precision if metric.startswith("ap") else _recall
    scores = [measure(curve, weights) for curve in curves if curve.objects @ weights]
    return float(np.mean(scores)) if scores else -1.0


def _recall(curve: ClassCurve, weights: np.ndarray) -> float:
    hits = (curve.hits * weights[curve.pictures]).sum(axis=1)
    return float(np.mean(hits / (curve.objects @ weights)))


def _average_precision(curve: ClassCurve, weights: np.ndarray) -> float:
    weight = weights[curve.pictures]
    hits, misses = (np.cumsum(flags * weight, axis=1) for flags in (curve.hits, curve.misses))
    recall = hits / (curve.objects @ weights)
    precision = hits / np.maximum(hits + misses, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    envelope = np.pad(envelope, ((0, 0), (0, 1)))  # a recall that is never reached has precision 0
    at = [np.searchsorted(row, RECALLS, side="left") for row in recall]
    return float(np.mean([row[points] for row, points in zip(envelope, at, strict=True)]))
