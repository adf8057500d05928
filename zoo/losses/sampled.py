"""Losses over a sample of each picture's candidates, through `keras.losses` objects.

Letters: B images, N candidates.
"""

import keras
from keras import ops


def sample_weights(counted, sampled):
    """Weigh candidates so that a mean over them is a mean over pictures of sums over samples.

    Args:
        counted: (B, N) bool, those whose loss is added up.
        sampled: (B, N) bool, those whose number in the picture the sum is divided by.
    Returns: (B, N) float32, for a `keras.losses` object that divides by B * N.
    """
    size = ops.sum(ops.cast(sampled, "float32"), axis=1, keepdims=True)
    return ops.cast(counted, "float32") * (sampled.shape[1] / ops.maximum(size, 1.0))


class SmoothL1:
    """Smooth L1 summed over the four offsets (Girshick 2015, Fast R-CNN, equations 2 and 3).

    Args:
        beta: where the square turns into the absolute value; Huber's loss is beta times this one.
    """

    def __init__(self, beta):
        self.beta = beta
        self._huber = keras.losses.Huber(delta=beta)

    def __call__(self, targets, deltas, weights):
        """Return the mean over (B, N) of the weighted sums over the offsets of (B, N, 4)."""
        return self._huber(targets, deltas, weights * (4.0 / self.beta))
