"""Precision over recall, as detectors are told by pycocotools and classifiers class by class.

Shape letters: I pictures, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.results import Classification

RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one class.

    Args:
        name: of the class.
        count: of its objects, or its pictures.
        ap: 0..1, the mean of the precisions.
        precision: (101,) 0..1, at recall 0, .01, ... 1 the best that is reached there or beyond.
    """

    name: str
    count: int
    ap: float
    precision: np.ndarray


def class_curves(
    labels: Sequence[int], predictions: Sequence[Classification], names: Sequence[str]
) -> list[Curve]:
    """Return how each class that has pictures is told from all others by its probability.

    Args:
        labels: I, 0..C-1.
        predictions: a Classification a picture, in the same order.
        names: C.
    """
    truths = np.asarray(labels)
    probabilities = np.stack([answer.probabilities for answer in predictions])
    curves = []
    for label in np.unique(truths).tolist():
        precision = _interpolated(truths == label, probabilities[:, label])
        count = int((truths == label).sum())
        curves.append(Curve(names[label], count, float(precision.mean()), precision))
    return curves


def _interpolated(right: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(101,) float64 of (I,) bool and (I,) float, one of them true; equal scores come together."""
    order = np.argsort(-scores, kind="stable")
    last_of_its_score = np.append(scores[order][1:] < scores[order][:-1], True)
    hits = np.cumsum(right[order])[last_of_its_score]
    precision = hits / (np.flatnonzero(last_of_its_score) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    # A recall that rounding puts a hair above one that is reached is that one.
    return best_from_here[np.searchsorted(hits / hits[-1] + 1e-12, RECALLS, side="left")]
