"""Boxes: formats, areas, clipping.

Shapes: any leading axes, then 4 coordinates.
Words: xyxy = left, top, right, bottom (the inside format everywhere else); xywh = left, top, width,
height (COCO); cxcywh = centre, width, height (the book, YOLO); yxyx = top, left, bottom, right
(TensorFlow). Widths carry no +1: a box from 2 to 5 is 3 wide. Everything is computed in float32,
whatever the precision policy says: a bfloat16 coordinate is wrong by up to one pixel in 256.
"""

from difflib import get_close_matches

from keras import ops

FORMATS = ("xyxy", "xywh", "cxcywh", "yxyx")


def to_float32_boxes(boxes, name="boxes"):
    """Return `boxes` as a float32 tensor, having checked that the last axis holds 4 coordinates.

    Args:
        boxes: (..., 4) tensor, array or nested list.
        name: what the error calls them.
    Raises: ValueError if the last axis is not 4 long.
    """
    boxes = ops.cast(boxes, "float32")
    if len(boxes.shape) == 0 or boxes.shape[-1] != 4:
        raise ValueError(
            f"{name} must be (..., 4); got {tuple(boxes.shape)}. Did you leave the class column in?"
        )
    return boxes


def convert_boxes(boxes, source, target):
    """Convert boxes from one format to another.

    Args:
        boxes: (..., 4) float, in any unit.
        source, target: "xyxy", "xywh", "cxcywh" or "yxyx".
    Returns: (..., 4) float32.
    Raises: ValueError for an unknown format or a last axis that is not 4 long.
    """
    for name in (source, target):
        if name not in FORMATS:
            near = get_close_matches(str(name), FORMATS, n=1, cutoff=0.0)
            raise ValueError(
                f"a box format must be one of {', '.join(FORMATS)}; got {name!r}. "
                f"Did you mean {near[0]!r}?"
            )
    boxes = to_float32_boxes(boxes)
    if source == target:
        return boxes
    return _FROM_CORNERS[target](*_TO_CORNERS[source](*_coordinates(boxes)))


def box_area(boxes):
    """Compute the area of xyxy boxes; an empty or inverted box has area 0.

    Args:
        boxes: (..., 4) float xyxy.
    Returns: (...) float32, in the square of the boxes' unit.
    """
    left, top, right, bottom = _coordinates(to_float32_boxes(boxes))
    return ops.maximum(right - left, 0.0) * ops.maximum(bottom - top, 0.0)


def clip_boxes(boxes, height=1.0, width=1.0):
    """Clip xyxy boxes to a picture; a box outside becomes empty, on the border.

    Args:
        boxes: (..., 4) float xyxy.
        height, width: the picture's, in the boxes' unit; numbers, or tensors that broadcast
            against (...).
    Returns: (..., 4) float32.
    """
    left, top, right, bottom = _coordinates(to_float32_boxes(boxes))
    return ops.stack(
        [
            _between_zero_and(left, width),
            _between_zero_and(top, height),
            _between_zero_and(right, width),
            _between_zero_and(bottom, height),
        ],
        axis=-1,
    )


def _between_zero_and(coordinate, limit):
    return ops.minimum(ops.maximum(coordinate, 0.0), ops.cast(limit, "float32"))


def _coordinates(boxes):
    return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]


def _stack(*coordinates):
    return ops.stack(coordinates, axis=-1)


# The book's formulas to the letter ((x1 + x2) / 2, cx - 0.5 * w), so that zoo.d2l has its bits.
_TO_CORNERS = {
    "xyxy": lambda left, top, right, bottom: (left, top, right, bottom),
    "xywh": lambda left, top, w, h: (left, top, left + w, top + h),
    "cxcywh": lambda x, y, w, h: (x - 0.5 * w, y - 0.5 * h, x + 0.5 * w, y + 0.5 * h),
    "yxyx": lambda top, left, bottom, right: (left, top, right, bottom),
}
_FROM_CORNERS = {
    "xyxy": _stack,
    "xywh": lambda left, top, right, bottom: _stack(left, top, right - left, bottom - top),
    "cxcywh": lambda left, top, right, bottom: _stack(
        (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    ),
    "yxyx": lambda left, top, right, bottom: _stack(top, left, bottom, right),
}
