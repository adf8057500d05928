"""The best of scores, equals in order, on every backend."""

import keras
from keras import ops


def top_k(scores, k):
    """Find the best scores of the last axis.

    Of equal scores the lower index comes first. Keras' own function keeps to that on TensorFlow
    and JAX; PyTorch's returns any of them, so there the places are chosen here, which costs two
    selections instead of one. A detector sure of itself has many scores of exactly 1.

    Args:
        scores: (..., N) float; a NaN counts as it does on the backend.
        k: how many, N at most.
    Returns: scores (..., k), falling, and their indices (..., k) int32.
    """
    if keras.backend.backend() != "torch":
        values, places = ops.top_k(scores, k)
        return values, ops.cast(places, "int32")
    scores = ops.convert_to_tensor(scores)
    number = scores.shape[-1]
    worst = ops.top_k(scores, k)[0][..., -1:]
    better, equal = scores > worst, scores == worst
    room = k - ops.sum(ops.cast(better, "int32"), axis=-1, keepdims=True)
    chosen = better | (equal & (ops.cumsum(ops.cast(equal, "int32"), axis=-1) <= room))
    first = ops.arange(number, 0, -1, dtype="int32")  # no two alike, so the order is one
    places = 2 * number - ops.top_k(ops.where(chosen, number + first, first), k)[0]
    places = ops.cast(places % number, "int32")
    values = ops.take_along_axis(scores, places, axis=-1)
    order = ops.argsort(-values, axis=-1)  # Keras' is stable
    return ops.take_along_axis(values, order, axis=-1), ops.take_along_axis(places, order, axis=-1)
