"""Photometric distortion: other light, other colours; the objects stay where they are."""

import tensorflow as tf

from zoo.data.augment.sample import Change, check_probability, check_range, seeds, uniform


def photometric(
    *,
    brightness: float = 32.0,
    contrast=(0.5, 1.5),
    saturation=(0.5, 1.5),
    hue: float = 18.0,
    probability: float = 0.5,
) -> Change:
    """Change brightness, contrast, saturation and hue, each with a probability.

    Brightness is first; contrast comes before or after the colours, a coin decides.

    Args:
        brightness: the most that is added to or taken from the values 0..255.
        contrast: [lowest, highest] factor on the distance from the channel's mean.
        saturation: [lowest, highest] factor on the saturation.
        hue: the most that hues turn, degrees of 360, either way.
        probability: of each of the four.

    Reference: Liu 2016, SSD, section 2.2, after Howard 2013; order and ranges are those of the
        authors' code.
    """
    if not 0 <= brightness <= 255:
        raise ValueError(f"brightness must lie in 0..255; got {brightness}.")
    check_range("contrast", contrast, 0.0)
    check_range("saturation", saturation, 0.0)
    if not 0 <= hue <= 180:
        raise ValueError(f"hue must lie in 0..180 degrees; got {hue}.")
    check_probability(probability)

    def step(sample, seed):
        chance_seed, value_seed, order_seed = seeds(seed, 3)
        lighter, contrasted, saturated, turned = tf.unstack(
            uniform(chance_seed, count=4) < probability
        )
        add, stretch, scale, turn = tf.unstack(uniform(value_seed, count=4))
        scale = tf.where(saturated, _between(saturation, scale), 1.0)
        turn = tf.where(turned, _between((-hue, hue), turn) / 360.0, 0.0)
        early = uniform(order_seed) < 0.5

        def add_contrast(pixels):
            return tf.image.adjust_contrast(pixels, _between(contrast, stretch))

        pixels = tf.cast(sample["images"], tf.float32)
        for chosen, change in (
            (lighter, lambda pixels: pixels + _between((-brightness, brightness), add)),
            (contrasted & early, add_contrast),
            (saturated | turned, lambda pixels: _recolour(pixels, scale, turn)),
            (contrasted & ~early, add_contrast),
        ):
            pixels = _if(chosen, change, pixels)
        return sample | {"images": tf.cast(tf.round(pixels), tf.uint8)}

    return step


def _between(values, fraction):
    return values[0] + (values[1] - values[0]) * fraction


def _if(chosen, change, pixels):
    """Values are cut at 0 and 255 after every change, as they are where pictures are bytes."""
    return tf.cond(
        chosen, lambda: tf.clip_by_value(change(pixels), 0.0, 255.0), lambda: tf.identity(pixels)
    )


def _recolour(pixels, scale, turn):
    """Scale the saturation and turn the hue (fractions of a circle): one way to HSV and back."""
    hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(pixels / 255.0), axis=-1)
    hue = tf.math.floormod(hue + turn, 1.0)
    saturation = tf.clip_by_value(saturation * scale, 0.0, 1.0)
    return tf.image.hsv_to_rgb(tf.stack([hue, saturation, value], axis=-1)) * 255.0
