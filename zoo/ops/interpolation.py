"""Where RoIAlign reads a feature map, along one axis at a time.

Bilinear interpolation is separable: the weight of cell (y, x) is the product of a weight of row y
and one of column x. So each axis is treated alone, and a crop is either a product of matrices (one
row of weights an output bin, over the whole axis) or a weighted sum of the few cells that count.

Shapes: B images, R RoIs, P bins along the axis, S samples a bin, N cells along the axis.
Words: a position is in cells, 0 the centre of the first; samples beyond one cell outside the map
count as 0, those up to one cell outside as the cell at the border. Everything is float32.
"""

from keras import ops


def sample_positions(low, high, bins, samples, *, aligned):
    """Place `samples` points evenly in each of `bins` equal parts of a side of each RoI.

    Args:
        low, high: (B, R) float32, the side's ends, in cells of the map.
        bins, samples: int, P and S.
        aligned: whether coordinates count from the corner of the first cell (half a cell less);
            otherwise from its centre, and sides are at least one cell long.
    Returns: (B, R, P, S) float32.
    """
    if aligned:
        low, high = low - 0.5, high - 0.5
    length = high - low if aligned else ops.maximum(high - low, 1.0)
    step = (length / bins)[..., None, None]
    first = ops.arange(bins, dtype="float32")[:, None]
    within = (ops.arange(samples, dtype="float32") + 0.5) / samples
    return low[..., None, None] + first * step + within * step


def inside_and_clamped(positions, size):
    """Return the weights of samples, 1 or 0 (outside), and their positions on the map.

    Args:
        positions: (...) float32, anything, NaN included.
        size: N, int, or a tensor that broadcasts.
    Returns: (...) float32 both; positions are in 0..N-1.
    """
    size = ops.cast(size, "float32")
    inside = (positions >= -1.0) & (positions <= size)
    clamped = ops.minimum(ops.maximum(positions, 0.0), size - 1.0)
    return ops.cast(inside, "float32"), ops.where(inside, clamped, 0.0)


def interpolation_matrix(positions, size):
    """Turn samples into weights of every cell, averaged over the samples of a bin.

    Args:
        positions: (B, R, P, S) float32; size: N.
    Returns: (B, R, P, N) float32.
    """
    inside, positions = inside_and_clamped(positions, size)
    cells = ops.arange(size, dtype="float32")
    total = 0.0
    for sample in range(positions.shape[-1]):
        distance = ops.abs(positions[..., sample, None] - cells)
        total = total + inside[..., sample, None] * ops.maximum(1.0 - distance, 0.0)
    return total / positions.shape[-1]


def neighbours(positions, size):
    """Turn samples into the two cells beside each, and their weights in the bin's average.

    Args:
        positions: (B, R, P, S) float32; size: N, int, or a tensor (B, R, 1, 1).
    Returns: (B, R, P, 2S) int32 cells and float32 weights.
    """
    inside, positions = inside_and_clamped(positions, size)
    low = ops.floor(positions)
    high = ops.minimum(low + 1.0, ops.cast(size, "float32") - 1.0)
    share = positions - low
    cells = ops.cast(ops.concatenate([low, high], axis=-1), "int32")
    weights = ops.concatenate([inside * (1.0 - share), inside * share], axis=-1)
    return cells, weights / positions.shape[-1]


def adaptive_matrix(low, high, bins, size):
    """Weights of every cell in bins with as many samples as they have cells, rounded up.

    That number depends on the RoI, so the samples are not listed: those between two cells are an
    arithmetic series, of which the count and the sum suffice. Coordinates count from the first
    cell's centre, and sides are at least one cell long (`aligned=False`).

    Args:
        low, high: (B, R) float32, the side's ends, in cells; bins: int, P; size: int, N.
    Returns: (B, R, P, N) float32.
    """
    length = ops.maximum(high - low, 1.0)[..., None, None]
    samples = ops.ceil(length / bins)
    gap = length / bins / samples
    first = low[..., None, None] + ops.arange(bins, dtype="float32")[:, None] * (length / bins)
    # before[i]: samples below position i - 1, so that cell i lies between entries i and i + 2.
    edges = ops.arange(-1, size + 1, dtype="float32")
    before = ops.clip(ops.ceil((edges - first) / gap - 0.5), 0.0, samples)
    count = before[..., 1:] - before[..., :-1]
    mean = first + gap * (before[..., 1:] + before[..., :-1]) / 2
    # The share of the upper cell in each gap between cells; at the map's ends there is one cell.
    cells = ops.arange(-1, size, dtype="float32")
    upper = ops.where(cells < 0, 1.0, ops.where(cells >= size - 1, 0.0, mean - cells))
    shares = count[..., :-1] * upper[..., :-1] + count[..., 1:] * (1.0 - upper[..., 1:])
    weights = shares / samples
    return ops.where(ops.isfinite(weights), weights, 0.0)  # RoIs that are not, cover nothing
