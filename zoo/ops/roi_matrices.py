"""RoIAlign as products of matrices: rows of the map into strips, and strips into crops.

Shapes: B images, (H, W) cells of a map, C channels, R RoIs, (h, w) output bins; n chunks of r RoIs.
Words: a strip is what the product of rows leaves of the map for one RoI, (h, W, C); for all RoIs
that is several times what goes in or out. So RoIs go in chunks, whose strips stay in the cache; the
gradient is written out to go the same way back and add up in one buffer, and nothing but the
matrices is kept for it. The chunks are a loop and not a list of operations: XLA compiles it in a
second, where it took four (512 RoIs), and holds the strips of one chunk instead of several.
"""

import keras
from keras import ops

# Numbers in the strips of a chunk: 8 MB in float32. Measured on a CPU with 32 MB of cache: more
# is not quicker, and a quarter of it makes products too small.
STRIPS = 1 << 21


def crop_by_matrices(features, rows, columns):
    """Crop RoIs by matrices of weights.

    Args:
        features: (B, H, W, C) float.
        rows, columns: (B, R, h, H) and (B, R, w, W) float32; they get no gradient.
    Returns: (B, R, h, w, C) in the dtype of `features`.
    """
    height, width, channels = features.shape[1:]
    (number, bins), across = rows.shape[1:3], columns.shape[2]
    images = features.shape[0] if isinstance(features.shape[0], int) else 1
    count = _chunks(number, max(1, STRIPS // (images * bins * width * channels)))
    crops = _crop_chunks(
        ops.reshape(features, (-1, height, width * channels)),
        _split(ops.cast(rows, features.dtype), count),
        _split(ops.cast(columns, features.dtype), count),
    )
    padded = crops.shape[0] * crops.shape[2]
    crops = ops.reshape(ops.swapaxes(crops, 0, 1), (-1, padded, bins, across, channels))
    return crops[:, :number] if padded > number else crops


@ops.custom_gradient
def _crop_chunks(flat, rows, columns):
    """Crop by matrices (n, B, r, h, H) and (n, B, r, w, W) from (B, H, W C)."""

    def gradient(*args, upstream=None):
        (upstream,) = args if upstream is None else (upstream,)

        def add(i, total):
            total += ops.cast(_spread(upstream[i], rows[i], columns[i]), total.dtype)
            return total

        # Many small parts: in bfloat16 the sum would soon be deaf to them.
        precise = keras.backend.result_type(flat.dtype, "float32")
        total = ops.fori_loop(0, rows.shape[0], add, ops.zeros_like(flat, dtype=precise))
        return ops.cast(total, flat.dtype), ops.zeros_like(rows), ops.zeros_like(columns)

    return ops.map(lambda chunk: _crop(flat, *chunk), (rows, columns)), gradient


def _crop(flat, rows, columns):
    """Return the crops (B, r, h, w, C) of a chunk."""
    number, bins, height = rows.shape[1:]
    width = columns.shape[-1]
    strips = ops.matmul(ops.reshape(rows, (-1, number * bins, height)), flat)
    strips = ops.reshape(strips, (-1, number, bins, width, flat.shape[-1] // width))
    return ops.matmul(columns[:, :, None], strips)


def _spread(crops, rows, columns):
    """Return what the gradient of a chunk's crops gives each cell, (B, H, W C)."""
    number, bins, height = rows.shape[1:]
    strips = ops.matmul(ops.swapaxes(columns, -1, -2)[:, :, None], crops)
    strips = ops.reshape(strips, (-1, number * bins, strips.shape[-2] * strips.shape[-1]))
    rows = ops.reshape(rows, (-1, number * bins, height))
    return ops.matmul(ops.swapaxes(rows, -1, -2), strips)


def _chunks(number, most):
    """Return n, so that chunks hold at most `most` RoIs; all equally many, if that is near."""
    least = -(-number // most)
    return next((n for n in range(least, 2 * least) if number % n == 0), least)


def _split(matrices, count):
    """Turn (B, R, ...) into (n, B, r, ...), zeros behind the last."""
    number, *shape = matrices.shape[1:]
    each = -(-number // count)
    missing = count * each - number
    if missing:
        matrices = ops.pad(matrices, [[0, 0], [0, missing], [0, 0], [0, 0]])
    return ops.swapaxes(ops.reshape(matrices, (-1, count, each, *shape)), 0, 1)
