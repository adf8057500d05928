"""Is the candidate's segmentation better than the champion's, or only luckier on these pictures?

As `zoo.metrics.bootstrap` for detectors: pictures are drawn again with replacement, and both are
scored on the same draw. A picture's confusion does not depend on the draw, which only weighs it.
Shape letters: I pictures, C classes.
"""

from __future__ import annotations

import numpy as np

from zoo.metrics.bootstrap import share_of_wins
from zoo.metrics.segmentation import metrics_of_confusion

SEGMENTATION_METRICS = ("pixel_accuracy", "mean_accuracy", "miou", "frequency_weighted_iou")


def paired_segmentation_bootstrap(
    candidate: np.ndarray,
    champion: np.ndarray,
    *,
    metric: str = "miou",
    resamples: int = 1000,
    seed: int = 0,
) -> float:
    """Estimate the confidence that the candidate is better.

    Args:
        candidate, champion: (I, C, C) int, `confusion_matrix` of each picture, in the same order.
        metric: one of `SEGMENTATION_METRICS`.
        resamples: draws.
        seed: of the draws.
    Returns: 0..1, the share of draws the candidate wins; a tie counts half.
    Raises: ValueError if the shapes differ or there is no picture, or the metric is unknown.
    """
    if metric not in SEGMENTATION_METRICS:
        raise ValueError(
            f"metric must be one of {', '.join(SEGMENTATION_METRICS)}; got {metric!r}."
        )
    rivals = [np.asarray(candidate, np.int64), np.asarray(champion, np.int64)]
    if rivals[0].shape != rivals[1].shape or rivals[0].ndim != 3 or not len(rivals[0]):
        raise ValueError(
            "candidate and champion must be (I, C, C) confusions of the same pictures; got "
            f"{rivals[0].shape} and {rivals[1].shape}."
        )
    names = [str(label) for label in range(rivals[0].shape[1])]

    def scored(confusions):
        return lambda weights: metrics_of_confusion(
            np.tensordot(weights, confusions, axes=1), names
        )[metric]

    better, worse = map(scored, rivals)
    return share_of_wins(better, worse, len(rivals[0]), resamples=resamples, seed=seed)
