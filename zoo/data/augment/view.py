"""A window on a picture: the geometry that crops, zooms and mosaics share.

A window is (4,) float32 xyxy in fractions of the picture. It may reach beyond the picture, which
is then drawn smaller on a plain ground.
"""

import tensorflow as tf

from zoo.colormaps import VOID
from zoo.data.augment.sample import Sample, keep_rows

_ROUNDING = 1e-5  # of float32, in a quotient of areas


def view(sample: Sample, window, keep, *, size=None, fill=(0, 0, 0)) -> Sample:
    """Show what the window frames.

    Boxes are cut at the window's edge; what they no longer show cannot be seen in the picture.

    Args:
        sample: the picture with its objects.
        window: (4,) float32.
        keep: (M,) bool, the rows that stay; the others become padding.
        size: (height, width) of the result in pixels; default: the picture's.
        fill: RGB 0..255 of what lies beyond the picture.
    """
    size = sample["images"].shape.as_list()[:2] if size is None else size
    ground = tf.constant(fill, tf.float32)
    pixels = _resample(tf.cast(sample["images"], tf.float32) - ground, window, size) + ground
    seen = sample | {
        "images": tf.saturate_cast(tf.round(pixels), tf.uint8),
        "boxes": boxes_in(window, sample["boxes"]),
    }
    if "masks" in sample:
        masks = tf.transpose(tf.cast(sample["masks"], tf.float32), (1, 2, 0))
        seen["masks"] = tf.transpose(_resample(masks, window, size) >= 0.5, (2, 0, 1))
    if "segmentation" in sample:
        seen["segmentation"] = _nearest(sample["segmentation"], window, size)
    return keep_rows(seen, keep)


def boxes_in(window, boxes) -> tf.Tensor:
    """Map boxes (..., 4) of the picture to fractions of the window, cut at its edge."""
    corner = tf.concat([window[..., :2], window[..., :2]], axis=-1)
    side = window[..., 2:] - window[..., :2]
    return tf.clip_by_value((boxes - corner) / tf.concat([side, side], axis=-1), 0.0, 1.0)


def visible_in(window, sample: Sample, min_visible: float) -> tf.Tensor:
    """Return (M,) bool: of the object's box, at least this part of its area is in the window."""
    side = window[2:] - window[:2]
    inside = _areas(boxes_in(window, sample["boxes"])) * side[0] * side[1]
    part = tf.math.divide_no_nan(inside, _areas(sample["boxes"]))
    return (sample["labels"] >= 0) & (part > 0) & (part >= min_visible - _ROUNDING)


def check_min_visible(value: float) -> None:
    """Raise ValueError unless the value lies in 0..1."""
    if not 0 <= value <= 1:
        raise ValueError(f"min_visible must lie in 0..1, a part of a box's area; got {value}.")


def _areas(boxes):
    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    return (right - left) * (bottom - top)


def _resample(pixels, window, size):
    """(H, W, C) float32 -> (*size, C) by a triangle filter, antialiased; 0 beyond the picture."""
    origin = tf.stack([window[1], window[0]])
    side = tf.stack([window[3], window[2]]) - origin
    old = tf.cast(tf.shape(pixels)[:2], tf.float32)
    scale = tf.cast(size, tf.float32) / (old * side)
    return tf.raw_ops.ScaleAndTranslate(
        images=pixels[None],
        size=tf.cast(size, tf.int32),
        scale=scale,
        translation=-origin * old * scale,
        kernel_type="triangle",
        antialias=True,
    )[0]


def _nearest(classes, window, size):
    """(H, W) uint8 -> (*size), the class at each pixel's centre; void beyond the picture."""
    height, width = classes.shape
    rows = _places(window[1], window[3], size[0], height)
    columns = _places(window[0], window[2], size[1], width)
    picked = tf.gather(classes, tf.clip_by_value(rows, 0, height - 1), axis=0)
    picked = tf.gather(picked, tf.clip_by_value(columns, 0, width - 1), axis=1)
    inside = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    return tf.where(inside, picked, tf.constant(VOID, tf.uint8))


def _places(start, end, count, side):
    """(count,) int32: which of `side` rows or columns the centres from start to end are in."""
    centres = (tf.range(count, dtype=tf.float32) + 0.5) / count
    return tf.cast(tf.floor((start + centres * (end - start)) * side), tf.int32)
