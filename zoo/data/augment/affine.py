"""Turning, shearing and shifting a picture about its centre.

Shape letters: H, W the picture. What lies beyond the picture is grey.
"""

import tensorflow as tf

GREY = 128.0


def rotated(pixels, degrees) -> tf.Tensor:
    """Turn (H, W, 3) float32 counter-clockwise."""
    angle = degrees * (3.14159265 / 180.0)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return _mapped(pixels, [[cosine, -sine], [sine, cosine]])


def sheared_x(pixels, slope) -> tf.Tensor:
    """Shift each row (H, W, 3) float32 by its distance from the middle times the slope."""
    return _mapped(pixels, [[1.0, slope], [0.0, 1.0]])


def sheared_y(pixels, slope) -> tf.Tensor:
    """Shift each column by its distance from the middle times the slope."""
    return _mapped(pixels, [[1.0, 0.0], [slope, 1.0]])


def shifted(pixels, right, down) -> tf.Tensor:
    """Shift by fractions of the width and the height."""
    height, width = tf.unstack(tf.cast(tf.shape(pixels)[:2], tf.float32))
    return _mapped(pixels, [[1.0, 0.0], [0.0, 1.0]], (-right * width, -down * height))


def _mapped(pixels, matrix, offset=(0.0, 0.0)):
    """Show at (x, y), from the centre, what `matrix` @ (x, y) + `offset` was; bilinear."""
    height, width = tf.unstack(tf.cast(tf.shape(pixels)[:2], tf.float32))
    x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    (a, b), (c, d) = matrix
    row = [a, b, x - a * x - b * y + offset[0], c, d, y - c * x - d * y + offset[1], 0.0, 0.0]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels[None] - GREY,
        transforms=tf.stack([tf.cast(value, tf.float32) for value in row])[None],
        output_shape=tf.shape(pixels)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    return tf.ensure_shape(moved + GREY, pixels.shape)
