"""Run lengths of a picture's masks -> masks at the network's size.

Shape letters: H, W the network's input, M objects with padding.
"""

import numpy as np
import tensorflow as tf

from zoo.run_lengths import decode_mask


def network_masks(counts: tf.Tensor, size: tf.Tensor, converter) -> tf.Tensor:
    """Bring the masks of a picture to where its pixels lie in the network's input.

    Args:
        counts: (M,) string, COCO's compressed run lengths; empty where there is no mask.
        size: (2,) int32, the picture's height and width.
        converter: the model's `ImageConverter`.
    Returns: (M, H, W) bool; a pixel has the value at its centre.
    """

    def convert(counts, size):
        masks = np.zeros((len(counts), *converter.image_size), bool)
        height, width = map(int, size)
        frame = converter.frame(height, width)
        rows = _sources(converter.image_size[0], frame.scale_y, frame.offset_y)
        columns = _sources(converter.image_size[1], frame.scale_x, frame.offset_x)
        inside = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
        cells = np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))
        for mask, runs in zip(masks, counts, strict=True):
            if runs:
                mask[:] = decode_mask(runs, (height, width))[cells] & inside
        return masks

    masks = tf.numpy_function(convert, [counts, size], tf.bool)
    return tf.ensure_shape(masks, (counts.shape[0], *converter.image_size))


def _sources(count, scale, offset):
    """For each of the network's rows or columns, the picture's that its centre lies in."""
    return np.floor((np.arange(count) + 0.5 - offset) / scale).astype(np.int64)
