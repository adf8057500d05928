"""Changes to a training picture and its boxes, each a pure function of a seed.

Shape letters: H, W the network's input, M boxes with padding (label -1).
A step takes (pixels (H, W, 3) uint8, boxes (M, 4) float32 fractions, labels (M,) int32) and a
stateless seed (2,), and returns the three again.
"""

import tensorflow as tf


def flip(pixels, boxes, labels, seed):
    """Mirror every second picture left to right; padding boxes stay as they are."""
    mirrored = tf.random.stateless_uniform((), seed) < 0.5
    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    flipped = tf.stack([1.0 - right, top, 1.0 - left, bottom], axis=-1)
    flipped = tf.where(labels[:, None] >= 0, flipped, boxes)
    pixels = tf.where(mirrored, tf.reverse(pixels, axis=[1]), pixels)
    return pixels, tf.where(mirrored, flipped, boxes), labels


AUGMENTATIONS = {"flip": flip}
