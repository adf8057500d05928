"""Two pictures in one, and how much of each class it shows.

Shape letters: H, W the network's input, C classes.
A sample of classification has `classes` (C,) float32, the shares of its classes, 1 in all.
"""

import tensorflow as tf

from zoo.data.augment.sample import (
    Change,
    beta,
    check_probability,
    first_of,
    seeds,
    sometimes,
    uniform,
)


def mixup(*, alpha: float = 0.2, probability: float = 1.0) -> Change:
    """Blend two pictures, and their classes as much.

    The share of the first comes from Beta(alpha, alpha).

    Args:
        alpha: of the Beta distribution; small ones leave most pictures nearly alone.
        probability: of doing so; else the first picture stays as it is.

    Returns: a step that takes a group of two pictures and returns one sample.
    Reference: Zhang 2018, mixup: Beyond empirical risk minimization, eq. 1.
    """
    _check_alpha(alpha)
    check_probability(probability)

    def blend(group, seed):
        share = beta(seed, alpha)
        first, second = tf.unstack(tf.cast(group["images"], tf.float32))
        images = tf.cast(tf.round(second + (first - second) * share), tf.uint8)
        return first_of(group) | {"images": images, "classes": _shared(group, share)}

    return sometimes(probability, blend, first_of)


def cutmix(*, alpha: float = 1.0, probability: float = 1.0) -> Change:
    """Put a window of another picture over the first, and share the classes by area.

    The window has the picture's aspect ratio and its centre lies anywhere; what reaches beyond the
    picture is cut off. The first keeps a part from Beta(alpha, alpha) before that cut.

    Args:
        alpha: of the Beta distribution; 1 is even.
        probability: of doing so; else the first picture stays as it is.

    Returns: a step that takes a group of two pictures and returns one sample.
    Reference: Yun 2019, CutMix, eq. 1 and 2.
    """
    _check_alpha(alpha)
    check_probability(probability)

    def paste(group, seed):
        size_seed, place_seed = seeds(seed, 2)
        height, width = group["images"].shape[1:3]
        rows, columns = _cut(beta(size_seed, alpha), uniform(place_seed, count=2), height, width)
        covered = rows[:, None] & columns[None]  # (H, W)
        share = 1.0 - tf.reduce_mean(tf.cast(covered, tf.float32))
        first, second = tf.unstack(group["images"])
        images = tf.where(covered[..., None], second, first)
        return first_of(group) | {"images": images, "classes": _shared(group, share)}

    return sometimes(probability, paste, first_of)


def _cut(share, centre, height, width):
    """Rows (H,) and columns (W,) of a window, bool, that leaves `share` where it fits whole."""
    side = tf.sqrt(1.0 - share)
    inside = []
    for length, middle in zip((height, width), tf.unstack(centre), strict=True):
        low = tf.round((middle - side / 2.0) * length)
        high = tf.round((middle + side / 2.0) * length)
        places = tf.range(length, dtype=tf.float32)
        inside.append((places >= low) & (places < high))
    return inside


def _shared(group, share):
    first, second = tf.unstack(group["classes"])
    return second + (first - second) * share


def _check_alpha(alpha):
    if alpha <= 0:
        raise ValueError(f"alpha must be greater than 0; got {alpha}.")
