"""Bilinear resizing of feature maps, also to sizes that are known at run time only.

Shape letters: B images, (h, w) the maps, (H, W) the result, C channels.
"""

from keras import ops


def resize_bilinear(maps, size):
    """Resize maps as PyTorch's `interpolate(mode="bilinear")` does, corners of pixels on corners.

    Keras' own asks whether a size is positive, which TensorFlow cannot say of one that is traced.

    Args:
        maps: (B, h, w, C) float; size: (H, W), ints or scalar tensors.
    Returns: (B, H, W, C) in the dtype of `maps`.
    """
    height, width = ops.shape(maps)[1:3]
    rows = ops.cast(_weights(height, size[0]), maps.dtype)
    columns = ops.cast(_weights(width, size[1]), maps.dtype)
    return ops.einsum("xw,bywc->byxc", columns, ops.einsum("yh,bhwc->bywc", rows, maps))


def _weights(cells, pixels):
    """Return how much of each cell is in each pixel, (pixels, cells) float32."""
    scale = ops.cast(cells, "float32") / ops.cast(pixels, "float32")
    places = (ops.cast(ops.arange(pixels), "float32") + 0.5) * scale - 0.5
    places = ops.minimum(ops.maximum(places, 0.0), ops.cast(cells, "float32") - 1.0)
    distance = ops.abs(places[:, None] - ops.cast(ops.arange(cells), "float32"))
    return ops.maximum(1.0 - distance, 0.0)
