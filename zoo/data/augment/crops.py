"""Random resized crop: a part of the picture, in another size and shape.

Shape letters: T windows tried, M boxes with padding.
"""

import math

import tensorflow as tf

from zoo.data.augment.sample import Change, check_probability, check_range, seeds, sometimes
from zoo.data.augment.sample import uniform as draw
from zoo.data.augment.view import check_min_visible, view, visible_in

_TRIALS = 10  # as torchvision's; a window that fits is nearly always the first


def random_resized_crop(
    *, scale=(0.3, 1.0), ratio=(0.75, 4 / 3), min_visible: float = 0.3, probability: float = 1.0
) -> Change:
    """Cut a window out of the picture and enlarge it to the whole.

    An object stays where `min_visible` of its box is in the window. What of others remains is
    background from then on: little enough not to be asked for.

    Args:
        scale: [lowest, highest] part of the picture's area, 0..1.
        ratio: [lowest, highest] width / height of the window over that of the picture, so that 1
            stretches nothing; drawn evenly in its logarithm.
        min_visible: 0..1, part of a box's area that must be seen for the box to stay.
        probability: of cropping at all.

    Reference: Szegedy 2015, Going deeper with convolutions, section 6.
    """
    check_range("scale", scale, 0.0, 1.0)
    check_range("ratio", ratio, 0.01, 100.0)
    check_min_visible(min_visible)
    check_probability(probability)
    if scale[0] == 0:
        raise ValueError(f"scale must begin above 0; got {list(scale)}.")

    def crop(sample, seed):
        window = random_window(seed, scale, ratio)
        return view(sample, window, visible_in(window, sample, min_visible))

    return sometimes(probability, crop)


def random_window(seed, scale, ratio, shape=1.0) -> tf.Tensor:
    """Draw a window (4,) float32, xyxy in fractions of the picture.

    Args:
        scale, ratio: as `random_resized_crop` has them.
        shape: width / height of a window that stretches nothing, in fractions of the picture.
    """
    sizes, place = seeds(seed, 2)
    return _place(_first_fitting(sizes, scale, ratio, shape), place)


def _first_fitting(seed, scale, ratio, shape):
    """(2,) width and height, fractions of the picture: the largest if no window fits."""
    area_seed, ratio_seed = seeds(seed, 2)
    areas = draw(area_seed, *scale, count=_TRIALS)
    ratios = shape * tf.exp(draw(ratio_seed, *map(math.log, ratio), count=_TRIALS))
    sides = tf.sqrt(tf.stack([areas * ratios, areas / ratios], axis=-1))  # (T, 2)
    fits = tf.reduce_all(sides <= 1.0, axis=-1)
    largest = tf.minimum(tf.stack([shape, 1.0 / shape]), 1.0)
    return tf.where(tf.reduce_any(fits), sides[tf.argmax(fits)], largest)


def _place(side, seed):
    corner = draw(seed, count=2) * (1.0 - side)
    return tf.concat([corner, corner + side], axis=0)
