"""How good a classifier is: the confusion of a split's pictures, and what follows from it.

Shape letters: I pictures, C classes.
Words: a confusion is (C, C) int64, pictures by their true class (row) and their predicted one
(column). A class's *accuracy* is the part of its pictures that are called so, its recall;
*precision* the part of what is called so that is of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.results import Classification

TOP = 5
UNKNOWN = -1.0  # of a class without pictures, as pycocotools has it


def classification_metrics(labels, predictions: Sequence[Classification]) -> dict:
    """Score predictions on a split.

    Args:
        labels: (I,) int, 0..C-1.
        predictions: a Classification a picture, in the same order.
    Returns: a dict of floats: top1, top5, mean_class_accuracy, cross_entropy (natural logarithm),
        trivial_top1 (what always answering the most frequent class scores); and of dicts by class
        name, -1 where a class has no pictures: accuracy_per_class, precision_per_class.
    Raises: ValueError if the lists differ in length or are empty, or a label is no class.
    """
    probabilities = _stacked(labels, predictions)
    labels = np.asarray(labels)
    confusion = class_confusion(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    accuracy, precision = class_rates(confusion)
    known = accuracy[accuracy >= 0]
    names = [predictions[0].name(label) for label in range(len(confusion))]
    chosen = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
    return {
        "top1": float(top_k_hits(labels, predictions, 1).mean()),
        "top5": float(top_k_hits(labels, predictions, TOP).mean()),
        "mean_class_accuracy": float(known.mean()),
        "cross_entropy": float(-np.log(chosen).mean()),
        "trivial_top1": float(confusion.sum(axis=1).max() / confusion.sum()),
        "accuracy_per_class": dict(zip(names, accuracy.tolist(), strict=True)),
        "precision_per_class": dict(zip(names, precision.tolist(), strict=True)),
    }


def top_k_hits(labels, predictions: Sequence[Classification], k: int) -> np.ndarray:
    """Tell for each picture whether its class is among the `k` most probable, (I,) bool.

    Of equal probabilities the lower label comes first.
    """
    probabilities = _stacked(labels, predictions)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return (best == np.asarray(labels)[:, None]).any(axis=1)


def class_confusion(labels, predicted, num_classes: int) -> np.ndarray:
    """Count pictures by their true and their predicted class.

    Args:
        labels, predicted: (I,) int, 0..C-1.
        num_classes: C.
    Returns: (C, C) int64.
    Raises: ValueError if the shapes differ or a label is no class.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(
            f"labels and predicted must be (I,), one a picture; got {labels.shape} and "
            f"{predicted.shape}."
        )
    for name, values in (("labels", labels), ("predicted", predicted)):
        if len(values) and not 0 <= values.min() <= values.max() < num_classes:
            raise ValueError(
                f"{name} must be 0..{num_classes - 1}; got {values.min()}..{values.max()}. Does "
                "the model have the classes of the data?"
            )
    pairs = labels.astype(np.int64) * num_classes + predicted
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_rates(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy and precision of each class, (C,) float64 each, -1 where there are none."""
    hits = np.diag(confusion)
    rates = []
    for counts in (confusion.sum(axis=1), confusion.sum(axis=0)):
        rates.append(np.where(counts > 0, hits / np.maximum(counts, 1), UNKNOWN))
    return rates[0], rates[1]


def class_table(confusion: np.ndarray, class_names: Sequence[str]) -> list[dict]:
    """Return a row a class: name, pictures, accuracy, precision, and what it is mistaken for most.

    Returns: dicts with `name`, `pictures`, `accuracy`, `precision` and `mistaken_for` (a name, or
        "" where no picture of the class was).
    """
    accuracy, precision = class_rates(confusion)
    mistakes = confusion - np.diag(np.diag(confusion))
    return [
        {
            "name": name,
            "pictures": int(confusion[label].sum()),
            "accuracy": float(accuracy[label]),
            "precision": float(precision[label]),
            "mistaken_for": class_names[row.argmax()] if row.any() else "",
        }
        for label, (name, row) in enumerate(zip(class_names, mistakes, strict=True))
    ]


def paired_classification_bootstrap(
    labels,
    candidate: Sequence[Classification],
    champion: Sequence[Classification],
    *,
    metric: str = "top1",
    resamples: int = 1000,
    seed: int = 0,
) -> float:
    """Estimate the confidence that the candidate is better, as `paired_bootstrap` does.

    Args:
        labels: (I,) int.
        candidate, champion: a Classification a picture, in the same order.
        metric: "top1" or "top5".
        resamples: draws of pictures with replacement.
        seed: of the draws.
    Returns: 0..1, the share of draws the candidate wins; a tie counts half.
    Raises: ValueError if the lists differ in length or are empty, or the metric is unknown.
    """
    if metric not in ("top1", "top5"):
        raise ValueError(f"metric must be top1 or top5; got {metric!r}.")
    k = 1 if metric == "top1" else TOP
    better, worse = (top_k_hits(labels, rival, k).astype(int) for rival in (candidate, champion))
    drawn = np.random.default_rng(seed).integers(0, len(better), (resamples, len(better)))
    lead = (better - worse)[drawn].sum(axis=1)
    return float(np.mean(np.where(lead == 0, 0.5, lead > 0)))


def _stacked(labels, predictions) -> np.ndarray:
    if not len(predictions) or len(labels) != len(predictions):
        raise ValueError(
            f"labels and predictions must hold one each a picture, and at least one; got "
            f"{len(labels)} and {len(predictions)}. Was a picture skipped?"
        )
    return np.stack([found.probabilities for found in predictions])
