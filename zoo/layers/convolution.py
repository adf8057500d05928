"""Convolution, bias, batch norm and ReLU in one pass over the features, in zoo's inner layout.

The weights stay those of the Keras layers that own them; only the arithmetic is arranged anew. A
batch norm whose statistics stand still is a factor and a shift a channel: the factor goes into the
kernel, the shift into the bias, and a kernel is small where a feature map is large. Keras adds a
bias in a pass of its own on PyTorch, whose convolution takes it along.
"""

from keras import ops

from zoo.layers.calls import tell
from zoo.layers.layout import native_channel_axis, native_data_format


def convolve(conv, inputs, *, norm=None, margin=0, relu=False):
    """Apply a `Conv2D`, and what follows it.

    Args:
        conv: a built `keras.layers.Conv2D` of `native_data_format()`, without activation.
        inputs: a native feature map.
        norm: a `BatchNorm` that follows and normalises by its moving statistics, or None.
        margin: rows and columns of zeros on each side before the convolution's own padding.
        relu: whether ReLU follows.
    """
    outputs = _convolve(conv, inputs, norm=norm, margin=margin, relu=relu)
    tell(conv, *filter(None, [norm]), inputs=inputs, outputs=outputs)
    return outputs


def _convolve(conv, inputs, *, norm, margin, relu):
    kernel, bias = ops.convert_to_tensor(conv.kernel), conv.bias if conv.use_bias else None
    if norm is not None:
        factor, shift = norm.factor_and_shift()
        kernel = ops.cast(kernel, "float32") * factor
        bias = shift if bias is None else bias * factor + shift
    inputs, kernel = (ops.cast(some, conv.compute_dtype) for some in (inputs, kernel))
    bias = None if bias is None else ops.cast(bias, conv.compute_dtype)
    if native_data_format() == "channels_first" and _pads_evenly(conv):
        outputs = _torch_convolve(conv, inputs, kernel, bias, margin)
        return outputs.relu_() if relu else outputs
    outputs = ops.conv(
        pad_zeros(inputs, margin),
        kernel,
        strides=conv.strides,
        padding=conv.padding,
        data_format=conv.data_format,
        dilation_rate=conv.dilation_rate,
    )
    if bias is not None:
        outputs = ops.add(outputs, _along_channels(bias))
    return ops.relu(outputs) if relu else outputs


def project(dense, inputs, *, relu=False):
    """Apply a `keras.layers.Dense` to (..., features), and ReLU.

    On PyTorch it is a 1x1 convolution, whose library has the quicker product on many processors.
    """
    if native_data_format() == "channels_last":
        outputs = dense(inputs)
        return ops.relu(outputs) if relu else outputs
    dtype = dense.compute_dtype
    inputs, kernel, bias = (ops.cast(some, dtype) for some in (inputs, dense.kernel, dense.bias))
    features, units = kernel.shape
    rows = inputs.reshape(1, -1, 1, features).permute(0, 3, 1, 2)
    outputs = _torch_conv2d(rows, kernel.reshape(1, 1, features, units), bias)
    outputs = outputs.permute(0, 2, 3, 1).reshape(*inputs.shape[:-1], units)
    tell(dense, inputs=inputs, outputs=outputs)
    return outputs.relu_() if relu else outputs


def add_relu(features, beside):
    """Return the ReLU of a sum; `features`, a convolution's result, is overwritten on PyTorch."""
    if native_data_format() == "channels_first":
        return features.add_(beside).relu_()
    return ops.relu(features + beside)


def pad_zeros(features, margin):
    """Put `margin` zeros on all four sides of a native feature map."""
    return ops.pad(features, [(m, m) for m in _margins(margin)]) if margin else features


def pad_shape(shape, margin):
    """Return the shape that `pad_zeros` gives; unknown sides stay unknown."""
    pairs = zip(shape, _margins(margin), strict=True)
    return tuple(side if side is None else side + 2 * m for side, m in pairs)


def _margins(margin):
    channels = native_channel_axis()
    return [0 if axis in (0, channels) else margin for axis in range(4)]


def _along_channels(bias):
    return bias if native_channel_axis() == 3 else ops.reshape(bias, (1, -1, 1, 1))


def _pads_evenly(conv):
    """Whether PyTorch's convolution can pad as this layer does: "same" may put more behind."""
    odd = all(size % 2 for size in conv.kernel_size)
    return conv.padding == "valid" or (odd and tuple(conv.strides) == (1, 1))


def _torch_convolve(conv, inputs, kernel, bias, margin):
    pairs = zip(conv.kernel_size, conv.dilation_rate, strict=True)
    inside = [rate * (size // 2) if conv.padding == "same" else 0 for size, rate in pairs]
    return _torch_conv2d(
        inputs,
        kernel,
        bias,
        stride=conv.strides,
        padding=[margin + more for more in inside],
        dilation=conv.dilation_rate,
        groups=conv.groups,
    )


def _torch_conv2d(inputs, kernel, bias, **options):
    """Convolve by a kernel (h, w, in, out), brought into the layout that PyTorch would copy it to.

    A matrix is transposed several times quicker than four axes are permuted.
    """
    from torch.nn.functional import conv2d

    height, width, depth, filters = kernel.shape
    rows = kernel.reshape(-1, filters).t().contiguous()
    kernel = rows.reshape(filters, height, width, depth).permute(0, 3, 1, 2)
    return conv2d(inputs, kernel, bias, **options)
