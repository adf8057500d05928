"""Masks of objects as targets of a mask head.

Shapes: B images, M objects with padding, (H, W) a mask, R RoIs, (h, w) the head's output.
"""

from keras import ops

from zoo.ops.boxes import to_float32_boxes
from zoo.ops.interpolation import adaptive_matrix

# Cells of masks that one turn of the loop reads, for each image: 8 MB in float32.
CHUNK_CELLS = 1 << 21


def crop_masks(masks, rois, matches, output_size):
    """Crop from each RoI's object's mask what lies in the RoI.

    Each bin is the mean of as many samples as it has cells, so that no part of a mask is missed.
    RoIs go in chunks: there is never a mask of full size for all of them.

    Args:
        masks: (B, M, H, W) bool or numbers 0..1, at the network's input's size or at any other.
        rois: (B, R, 4) float xyxy, fractions of the masks' picture.
        matches: (B, R) int, the RoI's object in 0..M-1; negative ones (background) are read as 0.
        output_size: (h, w) or one int for both.
    Returns: (B, R, h, w) float32 in 0..1. No gradient.
    Raises: ValueError if the shapes do not fit.
    Reference: He 2017, Mask R-CNN, section 3; sampled as in torchvision's `roi_align` of masks.
    """
    _check(masks, rois, matches)
    height, width = (output_size,) * 2 if isinstance(output_size, int) else output_size
    number, rows, columns = masks.shape[1:]
    rois = ops.stop_gradient(to_float32_boxes(rois, "rois"))
    matches = ops.minimum(ops.maximum(ops.cast(matches, "int32"), 0), number - 1)
    image = ops.cumsum(ops.ones_like(matches), axis=0) - 1  # arange, also where B is unknown
    flat = ops.reshape(masks, (-1, rows * columns))

    def crop(part):
        boxes, place = part[0], part[1]
        down = adaptive_matrix(boxes[..., 1] * rows, boxes[..., 3] * rows, height, rows)
        across = adaptive_matrix(boxes[..., 0] * columns, boxes[..., 2] * columns, width, columns)
        chosen = ops.cast(ops.take(flat, place, axis=0), "float32")
        chosen = ops.reshape(chosen, (-1, place.shape[1], rows, columns))
        return ops.matmul(ops.matmul(down, chosen), ops.swapaxes(across, -1, -2))

    step = max(1, min(rois.shape[1], CHUNK_CELLS // (rows * columns)))
    parts = (_chunks(rois, step), _chunks(matches + image * number, step))
    crops = ops.moveaxis(ops.map(crop, parts), 0, 1)  # (B, chunks, step, h, w)
    crops = ops.reshape(crops, (-1, crops.shape[1] * step, height, width))
    return ops.stop_gradient(crops[:, : rois.shape[1]])


def _chunks(values, step):
    """Cut (B, R, ...) into (chunks, B, step, ...); the last is filled with zeros."""
    missing = -values.shape[1] % step
    values = ops.pad(values, [(0, 0), (0, missing)] + [(0, 0)] * (len(values.shape) - 2))
    count = values.shape[1] // step
    return ops.moveaxis(ops.reshape(values, (-1, count, step, *values.shape[2:])), 1, 0)


def _check(masks, rois, matches):
    shapes = [tuple(value.shape) for value in (masks, rois, matches)]
    if [len(shape) for shape in shapes] != [4, 3, 2] or shapes[1][1] != shapes[2][1]:
        raise ValueError(
            "masks must be (B, M, H, W), rois (B, R, 4) and matches (B, R); got "
            f"{shapes[0]}, {shapes[1]} and {shapes[2]}. Have the masks a channel axis?"
        )
