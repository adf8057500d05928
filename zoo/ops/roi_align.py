"""RoIAlign: crops of feature maps by bilinear interpolation, on one level or on a pyramid.

Shapes: B images, (H, W) cells of a map, C channels, R RoIs, (h, w) output bins, S samples a bin,
L levels, N cells of all levels of an image.
Two ways lead to the same result. Products of matrices read the whole map, which on a CPU is
quickest on small maps; gathering reads the four cells around each sample only. Both go over the
RoIs in chunks, so that what lies between features and output stays small.
Gradients go to the features, never to the RoIs.
"""

from keras import ops

from zoo.ops.boxes import to_float32_boxes
from zoo.ops.interpolation import interpolation_matrix, neighbours, sample_positions
from zoo.ops.roi_matrices import crop_by_matrices

# Numbers between features and output that a chunk of gathered RoIs may take: 32 MB in float32.
CHUNK = 1 << 23
# Gathering a number costs as much as so many multiplications in a product of matrices. Measured
# on a CPU at 50x50 and 100x100: 42 to 71 on TensorFlow and JAX. With two samples, 7x7 bins change
# ways beyond maps of 67x67, 14x14 bins beyond 93x93.
GATHER_COST = 45


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
    _check(features, rois, sampling_ratio)
    options = {"sampling_ratio": sampling_ratio, "aligned": aligned}
    size = features.shape[1:3]
    bins = _pair(output_size)
    if not _matrices_pay(size, bins, sampling_ratio):
        levels = ops.zeros_like(rois[..., 0], dtype="int32")
        return multilevel_roi_align(
            [features], rois, bins, spatial_scales=[spatial_scale], levels=levels, **options
        )
    rows, columns = _samples(rois, spatial_scale, bins, **options)
    rows, columns = interpolation_matrix(rows, size[0]), interpolation_matrix(columns, size[1])
    return crop_by_matrices(features, rows, columns)


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
    Returns: (B, R, h, w, C) in the dtype of `features`.
    Raises: ValueError if the shapes do not fit.
    """
    for level in features:
        _check(level, rois, sampling_ratio)
    if len(features) != len(spatial_scales):
        raise ValueError(
            f"spatial_scales must hold a number a level; got {len(spatial_scales)} for "
            f"{len(features)} levels."
        )
    sizes, channels = [level.shape[1:3] for level in features], features[0].shape[-1]
    levels = ops.minimum(ops.maximum(ops.cast(levels, "int32"), 0), len(features) - 1)
    flat = [
        ops.reshape(level, (-1, height * width, channels))
        for level, (height, width) in zip(features, sizes, strict=True)
    ]
    flat = flat[0] if len(flat) == 1 else ops.concatenate(flat, axis=1)
    cells = flat.shape[1]
    scale, first, height, width = _of_each(levels, spatial_scales, sizes)
    rows, columns = _samples(
        rois, scale[..., None], _pair(output_size), sampling_ratio=sampling_ratio, aligned=aligned
    )
    row, row_weight = neighbours(rows, height)
    column, column_weight = neighbours(columns, width)
    image = ops.cumsum(ops.ones_like(first), axis=0) - 1  # arange, also where B is unknown
    row = image * cells + first + row * width
    return _by_gathering(flat, (row, row_weight), (column, column_weight))


def _samples(rois, scale, bins, *, sampling_ratio, aligned):
    """Return the rows (B, R, h, S) and columns (B, R, w, S) at which RoIs are read, in cells."""
    rois = ops.stop_gradient(to_float32_boxes(rois, "rois")) * scale
    left, top, right, bottom = (rois[..., i] for i in range(4))
    rows = sample_positions(top, bottom, bins[0], sampling_ratio, aligned=aligned)
    columns = sample_positions(left, right, bins[1], sampling_ratio, aligned=aligned)
    return rows, columns


def _of_each(levels, scales, sizes):
    """Return for each RoI its level's scale (B, R), and first cell, height, width (B, R, 1, 1)."""
    starts = [sum(h * w for h, w in sizes[:k]) for k in range(len(sizes))]
    facts = [(start, *size) for start, size in zip(starts, sizes, strict=True)]
    facts = ops.take(ops.convert_to_tensor(facts, dtype="int32"), levels, axis=0)[..., None, None]
    scale = ops.take(ops.convert_to_tensor(list(scales), dtype="float32"), levels, axis=0)
    return scale, facts[..., 0, :, :], facts[..., 1, :, :], facts[..., 2, :, :]


def _matrices_pay(size, bins, samples):
    """Whether products of matrices cost less than gathering, for a RoI and a channel."""
    (height, width), (rows, columns) = size, bins
    products = rows * width * (height + columns)
    return products <= GATHER_COST * rows * columns * (2 * samples) ** 2


def _by_gathering(flat, row, column):
    """Crop by weighted sums of cells.

    Args:
        flat: (B, N, C).
        row, column: cells (B, R, h, 2S), (B, R, w, 2S) int32, whose sums are rows of `flat` seen
            as (B N, C), and their weights, float32.
    """
    (row, row_weight), (column, column_weight) = row, column
    number, height, reads = row.shape[1:]
    width, cells, channels = column.shape[2], *flat.shape[1:]
    table = ops.reshape(flat, (-1, channels))

    def crop(part):
        place = row[:, part, :, None, :, None] + column[:, part, None, :, None, :]
        weight = row_weight[:, part, :, None, :, None] * column_weight[:, part, None, :, None, :]
        weight = ops.cast(ops.reshape(weight, (-1, 1, reads * reads)), flat.dtype)
        read = ops.take(table, ops.reshape(place, (-1, reads * reads)), axis=0)
        few = part.stop - part.start
        return ops.reshape(ops.matmul(weight, read), (-1, few, height, width, channels))

    # The gradient of each chunk is as large as the table: fewer chunks where that is large.
    limit = max(CHUNK, 2 * _batch(flat) * cells * channels)
    step = max(1, limit // (_batch(flat) * height * width * reads**2 * channels))
    parts = [slice(start, min(start + step, number)) for start in range(0, number, step)]
    crops = [crop(part) for part in parts]
    return crops[0] if len(crops) == 1 else ops.concatenate(crops, axis=1)


def _batch(features):
    """Number of images, 1 where it is not known."""
    return features.shape[0] if isinstance(features.shape[0], int) else 1


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


def _check(features, rois, sampling_ratio):
    if len(features.shape) != 4 or len(rois.shape) != 3 or rois.shape[-1] != 4:
        raise ValueError(
            f"features must be (B, H, W, C) and rois (B, R, 4) xyxy; got {tuple(features.shape)} "
            f"and {tuple(rois.shape)}. Does each image have its own row of RoIs?"
        )
    if sampling_ratio < 1:
        raise ValueError(
            f"sampling_ratio must be at least 1; got {sampling_ratio}. Shapes are static: a number "
            "of samples that follows the RoI's size is not to be had."
        )
