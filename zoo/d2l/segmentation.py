"""The book's functions of sections 13.9 to 13.11: coloured masks and transposed convolutions."""

import keras
import numpy as np
from keras import ops

from zoo.colormaps import voc_colormap
from zoo.ops.transposed import bilinear_kernel as _bilinear_kernel
from zoo.ops.transposed import conv_matrix, transposed_conv


def voc_colormap2label():
    """Map the codes of the colours, (red * 256 + green) * 256 + blue, to VOC's classes.

    As the book: every other colour, VOC's void among them, is background
    (`zoo.colormaps.colors_to_classes` tells them apart).

    Returns: (256 ** 3,) int32.
    """
    table = np.zeros(256**3, np.int32)
    for label, (red, green, blue) in enumerate(voc_colormap()):
        table[(red * 256 + green) * 256 + blue] = label
    return ops.convert_to_tensor(table)


def voc_label_indices(colormap, colormap2label):
    """Look up the class of every pixel of a coloured mask.

    Args:
        colormap: (3, height, width) RGB 0..255, as the book has it.
        colormap2label: what `voc_colormap2label` returns.
    Returns: (height, width) int32.
    """
    red, green, blue = ops.unstack(ops.cast(colormap, "int32"), axis=0)
    return ops.take(colormap2label, (red * 256 + green) * 256 + blue)


def voc_rand_crop(feature, label, height, width):
    """Cut the same random window out of a picture and its mask.

    Runs eagerly only; the window follows `keras.utils.set_random_seed`.
    As the book: a picture smaller than the window is refused (`zoo.data`'s pipeline pads it).

    Args:
        feature, label: (channels, rows, columns).
        height, width: of the window.
    Returns: both, (channels, height, width).
    """
    rows, columns = feature.shape[-2:]
    if rows < height or columns < width:
        raise ValueError(
            f"the crop must fit into the picture; got {height}x{width} of {rows}x{columns}. "
            "Leave such pictures out, as the book does?"
        )
    top = int(keras.random.randint((), 0, rows - height + 1))
    left = int(keras.random.randint((), 0, columns - width + 1))
    window = (..., slice(top, top + height), slice(left, left + width))
    return feature[window], label[window]


def trans_conv(X, K):  # noqa: N803  the book's names
    """Convolve one map with one kernel, transposed (see also `zoo.ops.transposed_conv`).

    Args:
        X: (H, W) float; K: (h, w) float.
    Returns: (H + h - 1, W + w - 1) float32.
    """
    features, kernel = (ops.cast(values, "float32") for values in (X, K))
    return transposed_conv(features[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]


def kernel2matrix(K):  # noqa: N803
    """Write a 2x2 kernel on a 3x3 map as a matrix (see also `zoo.ops.conv_matrix`).

    Args:
        K: (2, 2) float.
    Returns: (4, 9) float32.
    """
    return conv_matrix(K, (3, 3))


def bilinear_kernel(in_channels, out_channels, kernel_size):
    """Make the kernel of bilinear interpolation in PyTorch's layout (see `zoo.ops`).

    Args:
        in_channels, out_channels: the same number; kernel_size: int.
    Returns: (in, out, kernel_size, kernel_size) float32.
    """
    kernel = _bilinear_kernel(kernel_size, in_channels, out_channels)
    return ops.transpose(kernel, (3, 2, 0, 1))
