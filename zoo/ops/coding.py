"""Coding: boxes as deltas from anchors, and back.

Shapes: (..., A, 4) boxes against (A, 4) or (..., A, 4) anchors. Words: deltas = the centre's shift
in anchor sizes and the logarithm of the relative size, each divided by its variance.
"""

import numpy as np
from keras import ops

from zoo.ops.boxes import convert_boxes, to_float32_boxes

# A box smaller than its anchor by this factor is coded as if it were that small: the logarithm of
# an empty box (padding, an anchor without an object) stays finite, so that a mask of 0 hides it.
SMALLEST_RATIO = 1e-6
# exp(10) = 22,026 anchor sizes: beyond any picture, far below overflow.
LARGEST_LOG_RATIO = 10.0


def encode_boxes(boxes, anchors, variances=(0.1, 0.1, 0.2, 0.2)):
    """Code boxes as deltas from anchors.

    Args:
        boxes: (..., A, 4) float xyxy.
        anchors: (..., A, 4) float xyxy of positive width and height, the same unit.
        variances: 4 numbers > 0: of x, y, width, height.
    Returns: (..., A, 4) float32, always finite.
    Deviation: the book's offset_boxes adds 1e-6 to the relative size; here it is a lower limit, so
        that decoding gives the box back.
    Reference: Girshick 2014, R-CNN, appendix C; Liu 2016, SSD, eq. 2; the book 13.4.3.
    """
    variances = _check(variances)
    boxes = convert_boxes(boxes, "xyxy", "cxcywh")
    anchors = convert_boxes(anchors, "xyxy", "cxcywh")
    size = ops.maximum(anchors[..., 2:], 1e-12)
    shift = (boxes[..., :2] - anchors[..., :2]) / size
    ratio = ops.log(ops.maximum(boxes[..., 2:] / size, SMALLEST_RATIO))
    return ops.concatenate([shift / variances[:2], ratio / variances[2:]], axis=-1)


def decode_boxes(deltas, anchors, variances=(0.1, 0.1, 0.2, 0.2)):
    """Turn deltas back into boxes: the inverse of `encode_boxes`.

    Args:
        deltas: (..., A, 4) float.
        anchors: (..., A, 4) float xyxy.
        variances: 4 numbers > 0, those of the encoding.
    Returns: (..., A, 4) float32 xyxy in the anchors' unit, not clipped.
    Deviation: the relative size is limited to 1 / 22,026 .. 22,026; the book's offset_inverse
        overflows to infinity, and NaN, on wild predictions.
    """
    variances = _check(variances)
    deltas = to_float32_boxes(deltas, "deltas")
    anchors = convert_boxes(anchors, "xyxy", "cxcywh")
    centre = deltas[..., :2] * variances[:2] * anchors[..., 2:] + anchors[..., :2]
    log_ratio = ops.clip(deltas[..., 2:] * variances[2:], -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    size = ops.exp(log_ratio) * anchors[..., 2:]
    return convert_boxes(ops.concatenate([centre, size], axis=-1), "cxcywh", "xyxy")


def _check(variances):
    variances = np.asarray(variances, "float32")
    if variances.shape != (4,) or not (variances > 0).all():
        raise ValueError(f"variances must be 4 numbers > 0; got {variances.tolist()}.")
    return ops.convert_to_tensor(variances)
