"""RoIAlign as products of matrices: rows of the map into strips, and strips into crops.

Shapes: B images, (H, W) cells of a map, C channels, R RoIs, (h, w) output bins; n chunks of r RoIs.
Words: a strip is what the product of rows leaves of the map for one RoI, (h, W, C); for all RoIs
that is several times what goes in or out. So RoIs go in chunks, whose strips stay in the cache; the
gradient is written out to go the same way back and add up in one buffer, and nothing but the
matrices is kept for it. The chunks are a loop and not a list of operations, so that XLA compiles
one of them and holds the strips of one. Images are not looped over: a batch may be spread over
devices.
"""

import keras
from keras import ops

# Numbers in the strips of a chunk: 12 MB in float32. Measured on a CPU with 32 MB of cache: more
# is not quicker and takes its memory; with a quarter of it, calls cost more than they compute.
STRIPS = 3 << 20


def crop_by_matrices(features, rows, columns):
    """Crop RoIs by matrices of weights.

    Args:
        features: (B, H, W, C) float.
        rows, columns: (B, R, h, H) and (B, R, w, W) float32; they get no gradient.
    Returns: (B, R, h, w, C) in the dtype of `features`.
    """
    height, width, channels = features.shape[1:]
    number, bins = rows.shape[1:3]
    images = features.shape[0] if isinstance(features.shape[0], int) else 1
    count = _chunks(number, max(1, STRIPS // (images * bins * width * channels)))
    each = -(-number // count)
    rows, columns = (
        _split(ops.cast(matrices, features.dtype), count, each) for matrices in (rows, columns)
    )
    crops = _crop_chunks(
        ops.reshape(features, (-1, height, width * channels)),
        ops.reshape(rows, (count, -1, each * bins, height)),
        columns[:, :, :, None],
    )
    return crops[:, :number] if count * each > number else crops


@ops.custom_gradient
def _crop_chunks(flat, rows, columns):
    """Crop by matrices (n, B, r h, H) and (n, B, r, 1, w, W) from (B, H, W C)."""
    count, _, lines, _ = rows.shape
    number, width = columns.shape[2], columns.shape[-1]
    strips_shape = (-1, number, lines // number, width, flat.shape[-1] // width)

    def crop(chunk):
        rows, columns = chunk
        return ops.matmul(columns, ops.reshape(ops.matmul(rows, flat), strips_shape))

    def gradient(*args, upstream=None):
        (upstream,) = args if upstream is None else (upstream,)
        upstream = _split(upstream, count, number)
        from_rows, from_columns = ops.swapaxes(rows, -1, -2), ops.swapaxes(columns, -1, -2)

        def add(i, total):
            strips = ops.matmul(from_columns[i], upstream[i])
            part = ops.matmul(from_rows[i], ops.reshape(strips, (-1, lines, flat.shape[-1])))
            total += ops.cast(part, total.dtype)  # in place on PyTorch
            return total

        # Many small parts: a sum in bfloat16 would soon be deaf to them.
        precise = keras.backend.result_type(flat.dtype, "float32")
        total = ops.fori_loop(0, count, add, ops.zeros_like(flat, dtype=precise))
        return ops.cast(total, flat.dtype), ops.zeros_like(rows), ops.zeros_like(columns)

    return _join(crop, rows, columns), gradient


def _join(crop, rows, columns):
    """Crop every chunk; return (B, n r, h, w, C)."""
    if keras.backend.backend() == "torch":
        # Its loops are Python's: joined at once, the crops are copied once and not twice.
        return ops.concatenate([crop(chunk) for chunk in zip(rows, columns, strict=True)], axis=1)
    crops = ops.swapaxes(ops.map(crop, (rows, columns)), 0, 1)
    return ops.reshape(crops, (-1, crops.shape[1] * crops.shape[2], *crops.shape[3:]))


def _chunks(number, most):
    """Return n, so that chunks hold at most `most` RoIs; all equally many, if that is near."""
    least = -(-number // most)
    return next((n for n in range(least, 2 * least) if number % n == 0), least)


def _split(matrices, count, each):
    """Turn (B, R, ...) into (n, B, r, ...), zeros behind the last."""
    number, *shape = matrices.shape[1:]
    if count * each > number:
        missing = count * each - number
        matrices = ops.pad(matrices, [[0, 0], [0, missing], [0, 0], [0, 0]])
    return ops.swapaxes(ops.reshape(matrices, (-1, count, each, *shape)), 0, 1)
