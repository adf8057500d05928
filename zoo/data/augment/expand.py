"""Zooming out: the picture, smaller, somewhere on a plain ground."""

import tensorflow as tf

from zoo.data.augment.sample import (
    Change,
    check_probability,
    check_range,
    seeds,
    sometimes,
    uniform,
)
from zoo.data.augment.view import view

IMAGENET_MEAN = (124, 116, 104)  # RGB; grounds of the mean colour say the least


def expand(*, ratio=(1.0, 4.0), fill=IMAGENET_MEAN, probability: float = 0.5) -> Change:
    """Put the picture on a larger ground and shrink both to the picture's size.

    Makes the small objects that crops cannot make.

    Args:
        ratio: [lowest, highest] of the ground's side over the picture's, from 1 on.
        fill: RGB 0..255 of the ground.
        probability: of doing so.

    Reference: Liu 2016, SSD, section 3.6.
    """
    check_range("ratio", ratio, 1.0)
    if len(fill) != 3 or not all(0 <= value <= 255 for value in fill):
        raise ValueError(f"fill must be [red, green, blue] in 0..255; got {list(fill)}.")
    check_probability(probability)

    def zoom_out(sample, seed):
        side_seed, place_seed = seeds(seed, 2)
        side = uniform(side_seed, *ratio)
        corner = -uniform(place_seed, count=2) * (side - 1.0)
        window = tf.concat([corner, corner + side], axis=0)
        return view(sample, window, sample["labels"] >= 0, fill=fill)

    return sometimes(probability, zoom_out)
