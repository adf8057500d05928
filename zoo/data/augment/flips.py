"""Mirroring, left to right or upside down."""

import tensorflow as tf

from zoo.data.augment.sample import Change, check_probability, keep_rows, sometimes


def flip(*, probability: float = 0.5) -> Change:
    """Mirror a picture left to right.

    Args:
        probability: of doing so.
    """
    check_probability(probability)

    def mirror(sample, seed):
        left, top, right, bottom = tf.unstack(sample["boxes"], axis=-1)
        return _mirrored(sample, 1, tf.stack([1.0 - right, top, 1.0 - left, bottom], axis=-1))

    return sometimes(probability, mirror)


def vertical_flip(*, probability: float = 0.5) -> Change:
    """Turn a picture upside down, for pictures that have no up: cells, satellites.

    Args:
        probability: of doing so.
    """
    check_probability(probability)

    def mirror(sample, seed):
        left, top, right, bottom = tf.unstack(sample["boxes"], axis=-1)
        return _mirrored(sample, 0, tf.stack([left, 1.0 - bottom, right, 1.0 - top], axis=-1))

    return sometimes(probability, mirror)


def _mirrored(sample, axis, boxes):
    changed = {"images": tf.reverse(sample["images"], [axis]), "boxes": boxes}
    if "masks" in sample:
        changed["masks"] = tf.reverse(sample["masks"], [axis + 1])
    if "segmentation" in sample:
        changed["segmentation"] = tf.reverse(sample["segmentation"], [axis])
    return keep_rows(sample | changed, sample["labels"] >= 0)
