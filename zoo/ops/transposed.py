"""Transposed convolution, its matrix form, and the kernel that interpolates (book 13.10, 13.11).

Shapes: B images, (H, W) a map's cells, (h, w) a kernel's. A convolution's kernel is (h, w, in,
out), a transposed one's (h, w, out, in), as in Keras' layers: the same array, since what goes in
there comes out here.
Words: *padding* is the book's and PyTorch's. A convolution adds so many zeros on each side; the
transposed one takes so many rows and columns off each side of its output, and so leads back.
"""

import keras
from keras import ops


def transposed_conv(features, kernel, *, strides=1, padding=0):
    """Lay the kernel down on the output once a cell, times the cell's values, and add up.

    Args:
        features: (B, H, W, in) float.
        kernel: (h, w, out, in) float.
        strides: by how many rows and columns the kernel moves on a cell.
        padding: rows and columns taken off each side of the output.
    Returns: (B, (H - 1) * strides - 2 * padding + h, likewise, out).
    Raises: ValueError if the channels disagree.
    Reference: Zhang et al., Dive into Deep Learning, section 13.10.
    """
    if len(kernel.shape) != 4 or kernel.shape[3] != features.shape[-1]:
        raise ValueError(
            f"kernel must be (h, w, out, in) with in={features.shape[-1]} as the features have; "
            f"got {tuple(kernel.shape)}. Is it a convolution's (h, w, in, out)?"
        )
    if keras.backend.backend() == "jax" and strides > 1:
        return _by_blocks(features, kernel, strides, padding)
    return _by_backend(features, kernel, strides, padding)


def transposed_size(side, kernel, strides, padding):
    """Return how long a side of the output is; None stays None."""
    return None if side is None else (side - 1) * strides - 2 * padding + kernel


def bilinear_kernel(size, in_channels, out_channels):
    """Make the kernel with which a transposed convolution enlarges by bilinear interpolation.

    With strides S it is size 2 * S and padding S / 2 that make a map S times as large. Each channel
    is enlarged on its own.

    Args:
        size: h and w.
        in_channels, out_channels: how many there are, the same number.
    Returns: (size, size, out, in) float32, the layout of `Conv2DTranspose`.
    Raises: ValueError if the two numbers differ.
    Reference: Zhang et al., Dive into Deep Learning, section 13.11.
    """
    if in_channels != out_channels:
        raise ValueError(
            "a bilinear kernel enlarges each channel on its own, so in_channels and out_channels "
            f"must be equal; got {in_channels} and {out_channels}."
        )
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    weights = 1.0 - ops.abs(ops.arange(size, dtype="float32") - centre) / factor
    plane = weights[:, None] * weights[None, :]
    return plane[:, :, None, None] * ops.eye(out_channels, dtype="float32")


def conv_matrix(kernel, input_shape, *, strides=1, padding=0):
    """Write a convolution as a matrix, whose transpose is the transposed convolution.

    With maps flattened to vectors, `conv_matrix(kernel, shape) @ x` is the convolution of x and
    `conv_matrix(kernel, shape).T @ y` the transposed convolution of y.

    Args:
        kernel: (h, w) float, or (h, w, in, out).
        input_shape: (H, W) of the map that is convolved.
        strides, padding: of the convolution, the same in both directions.
    Returns: (cells of the output * out, H * W * in) float32.
    Raises: ValueError if the kernel is neither, or larger than the padded map.
    Reference: Zhang et al., Dive into Deep Learning, section 13.10.3.
    """
    kernel = ops.cast(kernel, "float32")
    if len(kernel.shape) == 2:
        kernel = kernel[:, :, None, None]
    if len(kernel.shape) != 4 or len(input_shape) != 2:
        raise ValueError(
            "conv_matrix takes a kernel (h, w) or (h, w, in, out) and an input_shape (H, W); got "
            f"{tuple(kernel.shape)} and {tuple(input_shape)}."
        )
    if any(side + 2 * padding < k for side, k in zip(input_shape, kernel.shape[:2], strict=True)):
        raise ValueError(
            f"a map of {tuple(input_shape)} cells with padding {padding} has no place for a kernel "
            f"of {tuple(kernel.shape[:2])}."
        )
    number = input_shape[0] * input_shape[1] * kernel.shape[2]
    # Column i is what becomes of the map that is 1 in cell i alone.
    cells = ops.reshape(ops.eye(number, dtype="float32"), (number, *input_shape, kernel.shape[2]))
    cells = ops.pad(cells, _all_sides(padding))
    answers = ops.conv(cells, kernel, strides, padding="valid", data_format="channels_last")
    return ops.transpose(ops.reshape(answers, (number, -1)))


def _by_backend(features, kernel, strides, padding):
    """Leave it to the backend's own operation, which knows no padding in numbers."""
    sides = kernel.shape[:2]
    # "same" takes k - S off an output, half of it on each side.
    centred = all(side - strides == 2 * padding for side in sides)
    options = {"strides": strides, "padding": "same" if centred else "valid"}
    if keras.backend.backend() == "torch":  # with a permuted view it copies less
        features = ops.transpose(features, (0, 3, 1, 2))
        outputs = ops.conv_transpose(features, kernel, data_format="channels_first", **options)
        outputs = ops.transpose(outputs, (0, 2, 3, 1))
        height, width = features.shape[2:]
    else:
        outputs = ops.conv_transpose(features, kernel, data_format="channels_last", **options)
        height, width = ops.shape(features)[1:3]
    if centred:
        return outputs
    return _crop(outputs, (height, width), sides, strides, padding)


def _by_blocks(features, kernel, strides, padding):
    """Multiply neighbouring cells by the kernel's blocks of strides x strides, then lay them out.

    XLA on a CPU convolves over the zeros that strides put between the cells: for x8 this way takes
    a fifteenth of its time, and for x32 that did not end in minutes.
    """
    height, width, out, channels = kernel.shape
    rows, columns = -(-height // strides), -(-width // strides)  # blocks of the kernel
    margins = [(0, rows * strides - height), (0, columns * strides - width), (0, 0), (0, 0)]
    blocks = ops.reshape(ops.pad(kernel, margins), (rows, strides, columns, strides, out, channels))
    blocks = ops.reshape(
        ops.transpose(blocks, (0, 2, 5, 1, 3, 4)),
        (rows * columns * channels, strides * strides * out),
    )
    batch, tall, wide = ops.shape(features)[:3]
    borders = [(0, 0), (rows - 1, rows - 1), (columns - 1, columns - 1), (0, 0)]
    padded = ops.pad(features, borders)
    down, across = tall + rows - 1, wide + columns - 1  # blocks of the output
    neighbours = ops.concatenate(
        [
            padded[:, rows - 1 - row : rows - 1 - row + down][
                :, :, columns - 1 - column : columns - 1 - column + across
            ]
            for row in range(rows)
            for column in range(columns)
        ],
        axis=-1,
    )
    outputs = ops.matmul(ops.reshape(neighbours, (-1, rows * columns * channels)), blocks)
    outputs = ops.reshape(outputs, (batch, down, across, strides, strides, out))
    outputs = ops.reshape(
        ops.transpose(outputs, (0, 1, 3, 2, 4, 5)), (batch, down * strides, across * strides, out)
    )
    return _crop(outputs, (tall, wide), (height, width), strides, padding)


def _crop(outputs, cells, sides, strides, padding):
    height, width = (
        transposed_size(side, kernel, strides, padding)
        for side, kernel in zip(cells, sides, strict=True)
    )
    return outputs[:, padding : padding + height, padding : padding + width]


def _all_sides(margin):
    return [(0, 0), (margin, margin), (margin, margin), (0, 0)]
