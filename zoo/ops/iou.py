"""Overlap of boxes: IoU and its relatives GIoU, DIoU and CIoU, for every pair.

Shapes: N and M boxes, any leading axes. All formulas are symmetric in the two boxes and do not
depend on the unit. They are differentiable: no 0/0 hides behind a mask.
"""

import math

from keras import ops

from zoo.ops.boxes import to_float32_boxes

KINDS = ("iou", "giou", "diou", "ciou")
SMALLEST = 1e-18  # an area of no box; its square, which a gradient may hold, is still a float32


def pairwise_iou(boxes1, boxes2, kind="iou"):
    """Compute the overlap of every box of one set with every box of another.

    Args:
        boxes1: (..., N, 4) float xyxy.
        boxes2: (..., M, 4) float xyxy, the same unit; leading axes broadcast.
        kind: "iou" in 0..1; "giou" and "diou" in -1..1; "ciou" up to 1.
    Returns: (..., N, M) float32.
    Raises: ValueError for an unknown kind or a last axis that is not 4 long.
    Deviation: the IoU with an empty box is 0, where the book's formula gives 0/0 for two of them.
    Reference: GIoU Rezatofighi 2019, eq. 3; DIoU and CIoU Zheng 2020, eqs. 7 and 10; the book 13.4.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}.")
    first = _columns(to_float32_boxes(boxes1, "boxes1"), axis=-1)
    second = _columns(to_float32_boxes(boxes2, "boxes2"), axis=-2)
    intersection, union = _intersection_and_union(first, second)
    iou = _divide(intersection, union)
    if kind == "iou":
        return iou
    width, height = _hull(first, second)
    if kind == "giou":
        hull = width * height
        return iou - _divide(hull - union, hull)
    diou = iou - _divide(_centre_distance(first, second), width**2 + height**2)
    return diou if kind == "diou" else diou - _shape_penalty(first, second, iou)


def _columns(boxes, axis):
    return tuple(ops.expand_dims(boxes[..., i], axis) for i in range(4))


def _divide(numerator, denominator):
    """Divide; 0 where both are 0, with a gradient of 0 there (not NaN)."""
    return numerator / ops.maximum(denominator, SMALLEST)


def _size(left, top, right, bottom):
    return ops.maximum(right - left, 0.0), ops.maximum(bottom - top, 0.0)


def _intersection_and_union(first, second):
    width, height = _size(
        ops.maximum(first[0], second[0]),
        ops.maximum(first[1], second[1]),
        ops.minimum(first[2], second[2]),
        ops.minimum(first[3], second[3]),
    )
    intersection = width * height
    (width1, height1), (width2, height2) = _size(*first), _size(*second)
    return intersection, width1 * height1 + width2 * height2 - intersection


def _hull(first, second):
    """Width and height of the smallest box around both."""
    return _size(
        ops.minimum(first[0], second[0]),
        ops.minimum(first[1], second[1]),
        ops.maximum(first[2], second[2]),
        ops.maximum(first[3], second[3]),
    )


def _centre_distance(first, second):
    """Squared distance of the centres."""
    across = (first[0] + first[2] - second[0] - second[2]) / 2
    down = (first[1] + first[3] - second[1] - second[3]) / 2
    return across**2 + down**2


def _shape_penalty(first, second, iou):
    """CIoU's alpha * v; alpha is a constant of the gradient, as in Zheng 2020, eq. 11 ff."""
    difference = _aspect_angle(first) - _aspect_angle(second)
    v = (4 / math.pi**2) * difference**2
    alpha = ops.stop_gradient(_divide(v, 1.0 - iou + v))
    return alpha * v


def _aspect_angle(box):
    width, height = _size(*box)
    point = (width <= 0) & (height <= 0)  # arctan2(0, 0) has no gradient
    return ops.arctan2(width, ops.where(point, 1.0, height))
