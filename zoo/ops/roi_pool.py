"""RoI pooling: the largest value in each of a grid of bins of whole cells.

Shapes: B images, (H, W) cells of a map, C channels, R RoIs, (h, w) output bins.
A bin may be of any size. So the maxima of all windows whose sides are powers of two are computed
once; any bin is the union of four of them that may overlap, and a maximum does not mind that.
"""

from keras import ops

from zoo.ops.boxes import to_float32_boxes

# Beyond every map, and small enough that cells times bins are int32.
FAR = float(1 << 20)


def roi_pool(features, rois, output_size, spatial_scale=1.0):
    """Crop RoIs from feature maps by the maximum of each bin.

    A RoI's corners are rounded to whole cells (halves away from zero), both ends belong to it, and
    bins reach outwards to whole cells, so that neighbours may share some.

    Args:
        features: (B, H, W, C) float.
        rois: (B, R, 4) float xyxy.
        output_size: (h, w) or one int for both.
        spatial_scale: the map's size over that of the RoIs' coordinates.
    Returns: (B, R, h, w, C) in the dtype of `features`; a bin outside the map is 0.
    Raises: ValueError if the shapes do not fit.
    Reference: Girshick 2015, Fast R-CNN, section 2.1; the book 13.8.2; rounding as in torchvision,
        except that bins are parted in whole numbers (from 57 cells on its float32 may err).
    """
    size = (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)
    height, width = features.shape[1:3]
    corners = roi_cells(rois, spatial_scale)
    left, top, right, bottom = (corners[..., i] for i in range(4))
    row_level, row_low, row_high, no_row = _two_windows(top, bottom, size[0], height)
    column_level, column_low, column_high, no_column = _two_windows(left, right, size[1], width)
    table = _window_maxima(features)
    batch, across = ops.shape(features)[0], _levels(width)
    level = row_level[..., :, None] * across + column_level[..., None, :]
    # The table is (levels, B, H, W, C), flat.
    image = ops.cumsum(ops.ones_like(level), axis=0) - 1
    plane = (level * batch + image) * (height * width)
    best = None
    for row in (row_low, row_high):
        for column in (column_low, column_high):
            cell = plane + row[..., :, None] * width + column[..., None, :]
            value = ops.take(table, cell, axis=0)
            best = value if best is None else ops.maximum(best, value)
    empty = no_row[..., :, None] | no_column[..., None, :]
    return ops.where(empty[..., None], ops.zeros_like(best), best)


def roi_cells(rois, spatial_scale=1.0):
    """Return the cells at which RoIs begin and end: RoIs that share them are pooled alike.

    Args:
        rois: (B, R, 4) float xyxy; spatial_scale: as `roi_pool` takes them.
    Returns: (B, R, 4) int32, first and last column and row: left, top, right, bottom.
    """
    rois = ops.stop_gradient(to_float32_boxes(rois, "rois")) * spatial_scale
    return _round(ops.where(ops.abs(rois) < FAR, rois, ops.where(rois > 0, FAR, -FAR)))


def _round(values):
    """Round halves away from zero, as C does; `ops.round` takes them to the even number."""
    return ops.cast(ops.sign(values) * ops.floor(ops.abs(values) + 0.5), "int32")


def _two_windows(low, high, bins, cells):
    """Cover each bin along one axis by two windows of equal length, a power of two.

    Args:
        low, high: (B, R) int32, both within the RoI.
        bins: int; cells: int, the map's size.
    Returns: (B, R, bins) each: the exponent, the windows' first cells (int32), and whether the
        bin is empty (bool).
    """
    # In whole numbers: a quotient in float32 would end a bin of 57 / 7 cells one cell too late.
    length = ops.maximum(high - low + 1, 1)[..., None]
    place = ops.arange(bins, dtype="int32")
    start = ops.clip(place * length // bins + low[..., None], 0, cells)
    end = ops.clip(((place + 1) * length + bins - 1) // bins + low[..., None], 0, cells)
    length = ops.maximum(end - start, 1)
    level = sum(ops.cast(length >= 2**k, "int32") for k in range(1, _levels(cells))) + 0 * length
    window = sum(ops.cast(level == k, "int32") * 2**k for k in range(_levels(cells)))
    low_start = ops.minimum(start, cells - 1)
    high_start = ops.maximum(end - window, low_start)
    return level, low_start, high_start, end <= start


def _levels(cells):
    """Number of powers of two up to `cells`."""
    return cells.bit_length()


def _window_maxima(features):
    """Return (levels of rows * levels of columns * B * H * W, C): maxima of windows of each size.

    A window starts at its cell; where it would leave the map the value is of no use, and not used.
    """
    height, width, channels = features.shape[1:]
    planes = []
    rows = features
    for k in range(_levels(height)):
        both = rows
        for m in range(_levels(width)):
            planes.append(both)
            if m + 1 < _levels(width):
                both = _with_neighbour(both, 2**m, axis=2)
        if k + 1 < _levels(height):
            rows = _with_neighbour(rows, 2**k, axis=1)
    return ops.reshape(ops.stack(planes), (-1, channels))


def _with_neighbour(features, shift, axis):
    """Take the maximum of each value and the one `shift` further along the axis, where there is."""
    size = features.shape[axis]
    part = [slice(None)] * 4
    part[axis] = slice(0, size - shift)
    first = features[tuple(part)]
    part[axis] = slice(shift, size)
    second = features[tuple(part)]
    part[axis] = slice(size - shift, size)
    return ops.concatenate([ops.maximum(first, second), features[tuple(part)]], axis=axis)
