"""Mosaic: parts of four pictures side by side."""

import tensorflow as tf

from zoo.data.augment.sample import (
    Change,
    Sample,
    check_probability,
    check_range,
    first_of,
    keep_rows,
    largest_rows,
    seeds,
    sometimes,
    uniform,
)
from zoo.data.augment.view import check_min_visible, view, visible_in

QUADRANTS = ((0, 0), (0, 1), (1, 0), (1, 1))  # row, column


def mosaic(
    *, center=(0.3, 0.7), scale=(0.4, 1.0), min_visible: float = 0.3, probability: float = 1.0
) -> Change:
    """Fill the four quadrants around a drawn centre from four pictures.

    A picture keeps its aspect ratio and covers its quadrant; which part of it is seen is drawn. An
    object stays where `min_visible` of its box is seen. Where more than M objects stay, those with
    the M largest boxes do, as if the others were too small to mark: raise `max_boxes` to keep them.

    Args:
        center: [lowest, highest] of the centre's place, fractions of both sides.
        scale: [lowest, highest] factor on the pictures' sides; raised to what covers the quadrant.
        min_visible: 0..1, part of a box's area that must be seen for the box to stay.
        probability: of doing so; else the first picture stays as it is.

    Returns: a step that takes a group of four pictures and returns one sample.
    Reference: Bochkovskiy 2020, YOLOv4, section 3.3.
    """
    check_range("center", center, 0.05, 0.95)
    check_range("scale", scale, 0.05, 1.0)
    check_min_visible(min_visible)
    check_probability(probability)

    def join(group, seed):
        center_seed, *piece_seeds = seeds(seed, 5)
        size = group["images"].shape.as_list()[1:3]
        split = tf.cast(tf.round(uniform(center_seed, *center, 2) * size), tf.int32)
        pieces = []
        for number, quadrant in enumerate(QUADRANTS):
            part = tf.where([place == 0 for place in quadrant], split, size - split)
            whole = {name: values[number] for name, values in group.items()}
            piece = _piece(whole, part, piece_seeds[number], scale, min_visible)
            pieces.append(_placed(piece, split * quadrant, part, size))
        return _joined(pieces, group)

    return sometimes(probability, join, first_of)


def _piece(sample: Sample, part, seed, scale, min_visible) -> Sample:
    """Show a drawn part of a picture at `part` = (height, width) pixels."""
    zoom_seed, place_seed = seeds(seed, 2)
    cover = tf.cast(part, tf.float32) / sample["images"].shape.as_list()[:2]  # (2,) y, x
    zoom = tf.maximum(uniform(zoom_seed, *scale), tf.reduce_max(cover))
    side = tf.reverse(cover / zoom, [0])
    corner = uniform(place_seed, count=2) * (1.0 - side)
    window = tf.concat([corner, corner + side], axis=0)
    return view(sample, window, visible_in(window, sample, min_visible), size=part)


def _placed(piece: Sample, top_left, part, size) -> Sample:
    """Map boxes and masks of a piece to the mosaic of `size` = (height, width) pixels."""
    corner, side, whole = (
        tf.tile(tf.reverse(tf.cast(pair, tf.float32), [0]), [2]) for pair in (top_left, part, size)
    )
    placed = piece | {"boxes": (piece["boxes"] * side + corner) / whole}
    if "masks" in piece:
        margins = tf.stack([top_left, size - top_left - part], axis=-1)
        placed["masks"] = tf.pad(piece["masks"], tf.concat([[[0, 0]], margins], axis=0))
    return keep_rows(placed, piece["labels"] >= 0)


def _joined(pieces: list[Sample], group: Sample) -> Sample:
    """Lay four pieces together and keep as many objects as a picture has rows."""
    upper, lower = (
        tf.concat([pieces[first]["images"], pieces[first + 1]["images"]], axis=1)
        for first in (0, 2)
    )
    names = [name for name in group if name != "images"]
    joined = {name: tf.concat([piece[name] for piece in pieces], axis=0) for name in names}
    joined["images"] = tf.concat([upper, lower], axis=0)
    kept = largest_rows(joined, group["labels"].shape[1])
    return {name: tf.ensure_shape(kept[name], group[name].shape[1:]) for name in group}
