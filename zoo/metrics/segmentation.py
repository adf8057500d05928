"""How good predicted class maps are: the confusion of a split's pixels, and what follows from it.

Shape letters: C classes, h, w a picture's height and width.
Words: a confusion is (C, C) int64, pixels by their true class (row) and their predicted one
(column); confusions of pictures add up.
Reference: Long 2015, Fully Convolutional Networks for Semantic Segmentation, section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import numpy as np

from zoo.colormaps import VOID


def segmentation_metrics(
    truths: Iterable[np.ndarray],
    predictions: Iterable[np.ndarray],
    class_names: Sequence[str],
    ignore: int = VOID,
) -> dict:
    """Score predicted class maps, one picture in memory at a time.

    Args:
        truths, predictions: (h, w) int a picture, in the same order and in the original pixels.
        class_names: C names.
        ignore: of the truth: pixels that are not scored.
    Returns: what `metrics_of_confusion` does.
    Raises: ValueError if the numbers of pictures or their sizes differ, or a class is unknown.
    """
    total = np.zeros((len(class_names),) * 2, np.int64)
    for truth, prediction in zip_longest(truths, predictions):
        if truth is None or prediction is None:
            raise ValueError(
                "truths and predictions must hold one class map a picture; one of them ended "
                "before the other. Was a picture skipped?"
            )
        total += confusion_matrix(truth, prediction, len(class_names), ignore)
    return metrics_of_confusion(total, class_names)


def confusion_matrix(
    truth: np.ndarray, prediction: np.ndarray, num_classes: int, ignore: int = VOID
) -> np.ndarray:
    """Count a picture's pixels by their true and their predicted class.

    Args:
        truth: (h, w) int, 0..C-1 or `ignore`.
        prediction: (h, w) int, 0..C-1 wherever the truth is scored.
        num_classes: C.
        ignore: of the truth: pixels that are not counted.
    Returns: (C, C) int64.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.ndim != 2 or truth.shape != prediction.shape:
        raise ValueError(
            f"class maps must be (h, w), of one size; got {truth.shape} and {prediction.shape}. "
            "Is the prediction in the original picture's pixels?"
        )
    scored = truth != ignore
    pair = truth[scored].astype(np.int64), prediction[scored].astype(np.int64)
    for what, classes in zip(("truth", "prediction"), pair, strict=True):
        wrong = classes[(classes < 0) | (classes >= num_classes)]
        if wrong.size:
            raise ValueError(
                f"the {what}'s classes must be 0..{num_classes - 1}; got {wrong[0]}. "
                "Do data and model have the same classes?"
            )
    counts = np.bincount(pair[0] * num_classes + pair[1], minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def metrics_of_confusion(confusion: np.ndarray, class_names: Sequence[str]) -> dict:
    """Compute what is reported of a confusion.

    A class that neither the truth nor the prediction has is left out of the means; one that only
    the prediction has counts with an IoU of 0, and is left out of the mean accuracy.

    Args:
        confusion: (C, C) int.
        class_names: C names.
    Returns: a dict of floats 0..1, -1 where nothing is there to score: pixel_accuracy;
        mean_accuracy, over the true pixels of each class; miou; frequency_weighted_iou;
        iou_per_class {name: IoU}; and trivial_pixel_accuracy and trivial_miou, what calling every
        pixel by the most frequent class would score.
    """
    confusion = np.asarray(confusion, np.int64)
    right, true = np.diag(confusion), confusion.sum(axis=1)
    iou = _quotients(right, true + confusion.sum(axis=0) - right)
    share = _quotients(true, np.full_like(true, true.sum()))
    return {
        "pixel_accuracy": _mean(_quotients(right.sum()[None], true.sum()[None])),
        "mean_accuracy": _mean(_quotients(right, true)),
        "miou": _mean(iou),
        "frequency_weighted_iou": float(np.dot(share, iou)) if true.any() else -1.0,
        "iou_per_class": dict(zip(class_names, iou.tolist(), strict=True)),
        "trivial_pixel_accuracy": float(share.max()),
        "trivial_miou": float(share.max() / max(np.count_nonzero(true), 1)),
    }


def _quotients(counts: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(n,) float64, -1 where there is nothing to divide by."""
    return np.where(of > 0, counts / np.maximum(of, 1), -1.0)


def _mean(values: np.ndarray) -> float:
    present = values[values >= 0]
    return float(present.mean()) if present.size else -1.0
