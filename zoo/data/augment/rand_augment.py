"""RandAugment: a few changes out of fourteen, all of one strength."""

import tensorflow as tf

from zoo.data.augment import affine, tones
from zoo.data.augment.sample import Change, check_probability, seeds, sometimes, uniform

HIGHEST = 30.0  # the scale of magnitudes
FURTHEST = 150 / 331  # of a side: the authors' 150 pixels of 331


def rand_augment(*, count: int = 2, magnitude: float = 9.0, probability: float = 1.0) -> Change:
    """Make `count` changes, each drawn evenly: of geometry, of tones, or none at all.

    The picture's class stays; boxes and masks would not follow, so it is for classification.
    Geometry turns or shears to either side, tones go either way.

    Args:
        count: of changes, one after another; N in the paper.
        magnitude: 0..30, M in the paper: 30 turns by 30 degrees, shears by .3, shifts by 45 % of
            the side, changes colours by 90 %, keeps four bits of a value, inverts them all.
        probability: of changing anything.

    Reference: Cubuk 2020, RandAugment, section 3; ranges as in its code and torchvision's.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1; got {count}.")
    if not 0 <= magnitude <= HIGHEST:
        raise ValueError(f"magnitude must lie in 0..30; got {magnitude}.")
    check_probability(probability)
    names = list(CHANGES)
    strength = magnitude / HIGHEST

    def change(sample, seed):
        pixels = tf.cast(sample["images"], tf.float32)
        for one in seeds(seed, count):
            which, side = seeds(one, 2)
            number = tf.cast(uniform(which) * len(names), tf.int32)
            signed = tf.where(uniform(side) < 0.5, -strength, strength)
            branches = [_branch(CHANGES[name], pixels, signed, strength) for name in names]
            pixels = tf.switch_case(tf.minimum(number, len(names) - 1), branches)
        rounded = tf.clip_by_value(tf.round(pixels), 0.0, 255.0)
        return sample | {"images": tf.cast(rounded, tf.uint8)}

    return sometimes(probability, change)


def _branch(change, pixels, signed, strength):
    return lambda: tf.ensure_shape(change(tf.round(pixels), signed, strength), pixels.shape)


# By name: pixels, strength to either side (-1..1), strength (0..1) -> pixels.
CHANGES = {
    "identity": lambda pixels, signed, strength: pixels,
    "shear_x": lambda pixels, signed, strength: affine.sheared_x(pixels, 0.3 * signed),
    "shear_y": lambda pixels, signed, strength: affine.sheared_y(pixels, 0.3 * signed),
    "shift_x": lambda pixels, signed, strength: affine.shifted(pixels, FURTHEST * signed, 0.0),
    "shift_y": lambda pixels, signed, strength: affine.shifted(pixels, 0.0, FURTHEST * signed),
    "rotate": lambda pixels, signed, strength: affine.rotated(pixels, 30.0 * signed),
    "brightness": lambda pixels, signed, strength: tones.brightened(pixels, 1.0 + 0.9 * signed),
    "color": lambda pixels, signed, strength: tones.coloured(pixels, 1.0 + 0.9 * signed),
    "contrast": lambda pixels, signed, strength: tones.contrasted(pixels, 1.0 + 0.9 * signed),
    "sharpness": lambda pixels, signed, strength: tones.sharpened(pixels, 1.0 + 0.9 * signed),
    "posterize": lambda pixels, signed, strength: tones.posterized(pixels, 8 - round(4 * strength)),
    "solarize": lambda pixels, signed, strength: tones.solarized(pixels, 255.0 * (1 - strength)),
    "autocontrast": lambda pixels, signed, strength: tones.stretched(pixels),
    "equalize": lambda pixels, signed, strength: tones.equalized(pixels),
}
