"""Sampling: which anchors count in the loss.

Shapes: B images, A anchors. Every sample is a mask of static shape; "exactly k" holds with ties,
where the lower index wins.
"""

import keras
from keras import ops


def hard_negative_mask(losses, positives, negatives, *, ratio=3.0, minimum=0):
    """Pick the negatives with the largest loss, `ratio` for each positive of the picture.

    Args:
        losses: (B, A) float, each anchor's loss.
        positives, negatives: (B, A) bool; an anchor may be neither (ignored).
        ratio: negatives per positive, >= 0.
        minimum: at least so many negatives a picture, also without a positive.
    Returns: (B, A) bool, a subset of `negatives`: all of them where they are too few.
    Reference: Liu 2016, SSD, section 2.2, hard negative mining.
    """
    positives, negatives = ops.cast(positives, "bool"), ops.cast(negatives, "bool")
    wanted = ops.floor(ratio * _count(positives))
    return _largest(losses, negatives, ops.maximum(wanted, float(minimum)))


def balanced_sample(positives, negatives, *, num_samples, positive_fraction, seed):
    """Draw a random subset in which positives take at most their share.

    Up to `num_samples * positive_fraction` positives; negatives fill the rest.

    Args:
        positives, negatives: (B, A) bool.
        num_samples: anchors a picture.
        positive_fraction: largest share of positives, in 0..1.
        seed: int, or a `keras.random.SeedGenerator` for a new draw each call.
    Returns: (B, A) bool, a subset of both; fewer than `num_samples` where both are too few.
    Reference: Girshick 2015, Fast R-CNN, section 2.3; Ren 2015, Faster R-CNN, section 3.1.3.
    """
    positives, negatives = ops.cast(positives, "bool"), ops.cast(negatives, "bool")
    lots = keras.random.uniform(ops.shape(positives), dtype="float32", seed=seed)
    most = ops.full_like(_count(positives), float(int(num_samples * positive_fraction)))
    chosen = _largest(lots, positives, most)
    return chosen | _largest(lots, negatives & ~positives, num_samples - _count(chosen))


def _count(mask):
    return ops.sum(ops.cast(mask, "float32"), axis=1)


def _largest(values, candidates, count):
    """Mark the `count` largest values among the candidates of each row.

    Args:
        values: (B, A) float; candidates: (B, A) bool; count: (B,) float32 whole numbers.
    Returns: (B, A) bool.
    """
    values = ops.where(candidates, ops.stop_gradient(ops.cast(values, "float32")), float("-inf"))
    ascending = ops.sort(values, axis=1)
    size = values.shape[1]
    # The smallest value that still belongs; `size` is beyond the end where nothing does.
    place = ops.cast(ops.clip(size - count, 0, size - 1), "int32")
    here = ops.arange(size, dtype="int32") == place[:, None]
    limit = ops.max(ops.where(here, ascending, float("-inf")), axis=1, keepdims=True)
    above = candidates & (values > limit)
    equal = candidates & (values == limit)
    vacant = (count - _count(above))[:, None]
    return above | (equal & (ops.cumsum(ops.cast(equal, "float32"), axis=1) <= vacant))
