"""Changes of a picture's tones, as Pillow has them.

Shape letters: H, W the picture. All take and return (H, W, 3) float32 of whole numbers in 0..255;
a factor is 1 where nothing changes, 0 at the far end (black, grey, one tone, blurred).
"""

import tensorflow as tf

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns colours grey
_SMOOTH = (1.0, 1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0)  # Pillow's SMOOTH filter, over 13


def brightened(pixels, factor) -> tf.Tensor:
    """Multiply the values."""
    return _whole(pixels * factor)


def coloured(pixels, factor) -> tf.Tensor:
    """Blend with the grey picture."""
    return _blend(_grey(pixels), pixels, factor)


def contrasted(pixels, factor) -> tf.Tensor:
    """Blend with the mean of the grey picture."""
    return _blend(tf.round(tf.reduce_mean(_grey(pixels))), pixels, factor)


def sharpened(pixels, factor) -> tf.Tensor:
    """Blend with the smoothed picture; the border stays."""
    kernel = tf.tile(tf.reshape(tf.constant(_SMOOTH) / 13.0, (3, 3, 1, 1)), (1, 1, 3, 1))
    inner = tf.nn.depthwise_conv2d(pixels[None], kernel, (1, 1, 1, 1), "VALID")[0]
    smooth = tf.pad(tf.round(inner), [[1, 1], [1, 1], [0, 0]])
    inside = tf.pad(tf.ones_like(inner[..., :1], tf.bool), [[1, 1], [1, 1], [0, 0]])
    return _blend(tf.where(inside, smooth, pixels), pixels, factor)


def posterized(pixels, bits) -> tf.Tensor:
    """Keep the first `bits` bits of each value."""
    step = tf.pow(2.0, 8.0 - tf.cast(bits, tf.float32))
    return tf.floor(pixels / step) * step


def solarized(pixels, threshold) -> tf.Tensor:
    """Invert the values from the threshold on."""
    return tf.where(pixels < threshold, pixels, 255.0 - pixels)


def stretched(pixels) -> tf.Tensor:
    """Stretch each channel over 0..255; a channel of one tone stays."""
    low = tf.reduce_min(pixels, axis=(0, 1))
    span = tf.reduce_max(pixels, axis=(0, 1)) - low
    return tf.where(span > 0, tf.floor((pixels - low) * 255.0 / tf.maximum(span, 1.0)), pixels)


def equalized(pixels) -> tf.Tensor:
    """Spread the tones of each channel evenly over 0..255."""
    channels = tf.unstack(tf.cast(pixels, tf.int32), axis=-1)
    return tf.stack([_equalized_channel(channel) for channel in channels], axis=-1)


def _equalized_channel(channel):
    """Map a tone to the share of pixels below it, the last tone's pixels not counted."""
    counts = tf.math.bincount(tf.reshape(channel, [-1]), minlength=256, maxlength=256)
    last = counts[tf.reduce_max(channel)]
    step = (tf.reduce_sum(counts) - last) // 255
    table = (tf.cumsum(counts, exclusive=True) + step // 2) // tf.maximum(step, 1)
    spread = tf.gather(tf.clip_by_value(table, 0, 255), channel)
    return tf.cast(tf.where(step > 0, spread, channel), tf.float32)


def _grey(pixels):
    return tf.round(tf.reduce_sum(pixels * tf.constant(_LUMA), axis=-1, keepdims=True))


def _blend(far, pixels, factor):
    return _whole(far + (pixels - far) * factor)


def _whole(pixels):
    return tf.clip_by_value(tf.round(pixels), 0.0, 255.0)
