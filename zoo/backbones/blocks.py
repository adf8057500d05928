"""What convolutional backbones are made of, in the inner layout of `zoo.layers.layout`.

Words: a block maps one native feature map to one; *torch padding* puts the same number of zeros on
both sides, TensorFlow's "same" puts the odd one behind. They differ where the stride is 2, and
weights are right for one of them only.
"""

import keras
from keras import layers, ops

from zoo.layers.batch_norm import BatchNorm
from zoo.layers.convolution import add_relu, convolve, pad_shape, pad_zeros
from zoo.layers.frozen_batch_norm import FrozenBatchNorm
from zoo.layers.layout import native_channel_axis, native_data_format

ACTIVATIONS = {None: lambda x: x, "relu": ops.relu, "relu6": ops.relu6}


class ConvNorm(layers.Layer):
    """Convolution without bias, batch norm, activation.

    Args:
        filters: channels of the output; None: a depthwise convolution.
        kernel_size, strides, dilation: of the convolution, the same in both directions.
        padding: "torch" or "same", as the module says.
        activation: None, "relu" or "relu6".
        norm: the keywords of `create_norm`.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        *,
        dilation=1,
        padding="torch",
        activation="relu",
        norm,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.activation = activation
        self.depthwise = filters is None
        # With stride 1 the two paddings agree, and "same" needs no padded copy.
        explicit = padding == "torch" and strides > 1
        self.margin = dilation * (kernel_size - 1) // 2 if explicit else 0
        options = {
            "kernel_size": kernel_size,
            "strides": strides,
            "dilation_rate": dilation,
            "padding": "valid" if explicit else "same",
            "use_bias": False,
            "data_format": native_data_format(),
            "dtype": self.dtype_policy,
            "name": "conv",
        }
        if self.depthwise:
            # He's fan out of a depthwise kernel, as PyTorch counts it, is Keras' fan in.
            self.conv = layers.DepthwiseConv2D(
                depthwise_initializer=he_initializer("fan_in"), **options
            )
        else:
            self.conv = layers.Conv2D(filters, kernel_initializer=he_initializer(), **options)
        self.norm = create_norm(**norm, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape):
        padded = pad_shape(input_shape, self.margin)
        self.conv.build(padded)
        self.norm.build(self.conv.compute_output_shape(padded))
        self.built = True

    def call(self, features, training=False):
        if self.depthwise or not self.norm.stands_still(training):
            features = self.norm(self.conv(pad_zeros(features, self.margin)))
            return ACTIVATIONS[self.activation](features)
        relu = self.activation == "relu"
        features = convolve(self.conv, features, norm=self.norm, margin=self.margin, relu=relu)
        return features if relu else ACTIVATIONS[self.activation](features)

    def compute_output_shape(self, input_shape):
        return self.conv.compute_output_shape(pad_shape(input_shape, self.margin))


class PaddedMaxPool(layers.Layer):
    """Max pooling of rectified features under torch padding.

    Zeros stand for the border, which is no other maximum as no feature is negative.
    """

    def __init__(self, pool_size, strides, **kwargs):
        super().__init__(**kwargs)
        self.margin = (pool_size - 1) // 2
        self.pool = layers.MaxPooling2D(
            pool_size, strides, data_format=native_data_format(), dtype=self.dtype_policy
        )

    def call(self, features):
        return self.pool(pad_zeros(features, self.margin))

    def compute_output_shape(self, input_shape):
        return self.pool.compute_output_shape(pad_shape(input_shape, self.margin))


class Chain(layers.Layer):
    """Blocks one after another."""

    def __init__(self, blocks, **kwargs):
        super().__init__(**kwargs)
        self.blocks = list(blocks)

    def build(self, input_shape):
        build_chain(self.blocks, input_shape)
        self.built = True

    def call(self, features):
        for block in self.blocks:
            features = block(features)
        return features

    def compute_output_shape(self, input_shape):
        for block in self.blocks:
            input_shape = block.compute_output_shape(input_shape)
        return input_shape


class Residual(Chain):
    """Blocks one after another, added to their input (He 2016).

    Args:
        blocks: of the branch.
        shortcut: the block on the other way; None: the input as it is.
        activation: behind the addition; None, "relu" or "relu6".
    """

    def __init__(self, blocks, *, shortcut=None, activation=None, **kwargs):
        super().__init__(blocks, **kwargs)
        self.shortcut = shortcut
        self.activation = activation

    def build(self, input_shape):
        super().build(input_shape)
        if self.shortcut is not None:
            self.shortcut.build(input_shape)

    def call(self, features):
        beside = features if self.shortcut is None else self.shortcut(features)
        features = super().call(features)
        if self.activation == "relu":
            return add_relu(features, beside)
        return ACTIVATIONS[self.activation](features + beside)


def build_chain(blocks, shape) -> None:
    """Build blocks one after another, the first on `shape`."""
    for block in blocks:
        block.build(shape)
        shape = block.compute_output_shape(shape)


def create_norm(*, frozen=False, epsilon=1e-5, momentum=0.9, **kwargs):
    """Return a `BatchNorm` or `FrozenBatchNorm` over the native channel axis."""
    norm = FrozenBatchNorm if frozen else BatchNorm
    return norm(axis=native_channel_axis(), epsilon=epsilon, momentum=momentum, **kwargs)


def he_initializer(mode="fan_out"):
    """Return He's normal initializer (He 2015, eq. 14), not truncated, as PyTorch has it."""
    return keras.initializers.VarianceScaling(2.0, mode=mode, distribution="untruncated_normal")
