"""RoIAlign: crops of feature maps by bilinear interpolation, on one level or on a pyramid.

Shapes: B images, (H, W) cells of a map, C channels, R RoIs, (h, w) output bins, S samples a bin.
Two ways lead to the same result. Products of matrices read the whole map, which on a CPU is
quickest on small maps; gathering reads the four cells around each sample only. Both go over the
RoIs in chunks, so that what lies between features and output stays small.
Gradients go to the features, never to the RoIs.
"""

from keras import ops

from zoo.ops.boxes import to_float32_boxes
from zoo.ops.interpolation import interpolation_matrix, neighbours, sample_positions

# Floats between features and output that a chunk of RoIs may need.
CHUNK_FLOATS = 1 << 23


def roi_align(features, rois, output_size, spatial_scale=1.0, sampling_ratio=2, aligned=True):
    """Crop RoIs from feature maps: each output bin is the mean of `sampling_ratio`**2 samples.

    Args:
        features: (B, H, W, C) float.
        rois: (B, R, 4) float xyxy; padding, empty, inverted and outside ones are harmless.
        output_size: (h, w) or one int for both.
        spatial_scale: the map's size over that of the RoIs' coordinates: 1 / stride for RoIs in
            pixels.
        sampling_ratio: S, samples a bin and axis.
        aligned: whether coordinates are moved by half a cell, so that a cell's value belongs to its
            centre (Detectron2's correction). False is the paper's first code: no shift, and RoIs
            are at least one cell large.
    Returns: (B, R, h, w, C) in the dtype of `features`. Samples more than one cell outside are 0.
    Raises: ValueError if the shapes do not fit.
    Reference: He 2017, Mask R-CNN, section 3; borders as in torchvision.
    """
    rois = ops.stop_gradient(to_float32_boxes(rois, "rois")) * spatial_scale
    height, width = _pair(output_size)
    left, top, right, bottom = (rois[..., i] for i in range(4))
    rows = sample_positions(top, bottom, height, sampling_ratio, aligned=aligned)
    columns = sample_positions(left, right, width, sampling_ratio, aligned=aligned)
    return _by_matrices(features, rows, columns)


def _by_matrices(features, rows, columns):
    """Crop by matrices: first the rows of each bin, then its columns."""
    size = features.shape[1:]
    rows = ops.cast(interpolation_matrix(rows, size[0]), features.dtype)
    columns = ops.cast(interpolation_matrix(columns, size[1]), features.dtype)
    flat = ops.reshape(features, (-1, size[0], size[1] * size[2]))
    number, height = rows.shape[1:3]
    batch = features.shape[0] if isinstance(features.shape[0], int) else 1
    step = max(1, CHUNK_FLOATS // (batch * height * size[1] * size[2]))
    crops = []
    for start in range(0, number, step):
        few = min(step, number - start)
        part = ops.reshape(rows[:, start : start + few], (-1, few * height, size[0]))
        part = ops.reshape(ops.matmul(part, flat), (-1, few, height, size[1], size[2]))
        crops.append(ops.matmul(columns[:, start : start + few, None], part))
    return crops[0] if len(crops) == 1 else ops.concatenate(crops, axis=1)


def multilevel_roi_align(
    features, rois, output_size, *, spatial_scales, levels, sampling_ratio=2, aligned=True
):
    """Crop each RoI from its own level of a pyramid.

    All levels lie in one buffer, from which each RoI gathers the cells of its level; no RoI is
    computed on another's.

    Args:
        features: list of L maps (B, H_l, W_l, C).
        rois: (B, R, 4) float xyxy.
        output_size: (h, w) or one int for both.
        spatial_scales: L floats, `roi_align`'s for each level.
        levels: (B, R) int, 0..L-1, as `assign_levels` gives it.
        sampling_ratio, aligned: as in `roi_align`.
    Returns: (B, R, h, w, C).
    Raises: ValueError if the shapes do not fit.
    """
    height, width = _pair(output_size)
    levels = ops.cast(levels, "int32")
    table = [
        (scale, *level.shape[1:3]) for scale, level in zip(spatial_scales, features, strict=True)
    ]
    starts = [0]
    for _, h, w in table:
        starts.append(starts[-1] + h * w)
    per_roi = ops.take(
        ops.convert_to_tensor([[s, h, w] for s, h, w in table], "float32"), levels, axis=0
    )
    scale, map_height, map_width = (per_roi[..., i] for i in range(3))
    rois = ops.stop_gradient(to_float32_boxes(rois, "rois")) * scale[..., None]
    left, top, right, bottom = (rois[..., i] for i in range(4))
    rows = sample_positions(top, bottom, height, sampling_ratio, aligned=aligned)
    columns = sample_positions(left, right, width, sampling_ratio, aligned=aligned)
    row, row_weight = neighbours(rows, map_height[..., None, None])
    column, column_weight = neighbours(columns, map_width[..., None, None])
    channels = features[0].shape[-1]
    flat = ops.concatenate(
        [ops.reshape(f, (-1, f.shape[1] * f.shape[2], channels)) for f in features], axis=1
    )
    batch = ops.shape(flat)[0]
    first = ops.take(ops.convert_to_tensor(starts[:-1], "int32"), levels, axis=0)
    first = first + ops.arange(batch, dtype="int32")[:, None] * starts[-1]
    flat = ops.reshape(flat, (-1, channels))
    stride = ops.cast(map_width, "int32")[..., None, None]
    row = first[..., None, None] + row * stride
    return _by_gathering(flat, row, row_weight, column, column_weight)


def _by_gathering(flat, row, row_weight, column, column_weight):
    number, height, reads = row.shape[1:]
    width, channels = column.shape[2], flat.shape[-1]
    step = max(1, CHUNK_FLOATS // (height * width * reads * reads * channels))
    crops = []
    for start in range(0, number, step):
        part = slice(start, min(start + step, number))
        cells = row[:, part, :, None, :, None] + column[:, part, None, :, None, :]
        weights = row_weight[:, part, :, None, :, None] * column_weight[:, part, None, :, None, :]
        few = part.stop - part.start
        cells = ops.reshape(cells, (-1, reads * reads))
        weights = ops.cast(ops.reshape(weights, (-1, 1, reads * reads)), flat.dtype)
        values = ops.matmul(weights, ops.take(flat, cells, axis=0))
        crops.append(ops.reshape(values, (-1, few, height, width, channels)))
    return crops[0] if len(crops) == 1 else ops.concatenate(crops, axis=1)


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)
