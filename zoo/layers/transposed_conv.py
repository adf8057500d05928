"""Transposed convolution with the book's padding.

Letters: B images.
"""

import keras
from keras import layers, ops

from zoo.ops import bilinear_kernel
from zoo.ops.transposed import transposed_conv, transposed_size


@keras.saving.register_keras_serializable(package="zoo")
class TransposedConv(layers.Layer):
    """Transposed convolution as the book's 13.10 and PyTorch have it.

    `padding` takes rows and columns off each side of the output, so that the layer leads back what
    a convolution with the same kernel, strides and padding made.

    Args:
        filters: channels of the output.
        kernel_size, strides, padding: the same in both directions; padding >= 0.
        use_bias: whether a learnt number a channel is added.
        kernel_initializer: of Keras, or `BilinearInitializer`.
    Returns: on call with (B, H, W, in), (B, (H - 1) * strides - 2 * padding + kernel_size, the same
        of W, filters).
    Raises: ValueError if padding leaves nothing of one cell's output.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding=0,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if padding < 0:
            raise ValueError(f"padding must be at least 0; got {padding}.")
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, self.filters, input_shape[-1]),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, features):
        kernel = ops.cast(self.kernel, self.compute_dtype)
        outputs = transposed_conv(features, kernel, strides=self.strides, padding=self.padding)
        return outputs + ops.cast(self.bias, self.compute_dtype) if self.use_bias else outputs

    def compute_output_shape(self, input_shape):
        batch, *cells, _ = input_shape
        sides = [
            transposed_size(side, self.kernel_size, self.strides, self.padding) for side in cells
        ]
        if any(side is not None and side < 1 for side in sides):
            raise ValueError(
                f"padding {self.padding} takes all of the output of {tuple(cells)} cells, kernel "
                f"{self.kernel_size} and strides {self.strides}. Is it meant for a larger kernel?"
            )
        return (batch, *sides, self.filters)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.saving.serialize_keras_object(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="zoo")
class BilinearInitializer(keras.initializers.Initializer):
    """Let a `TransposedConv` begin as bilinear interpolation (book 13.11.2)."""

    def __call__(self, shape, dtype=None):
        """Return the kernel (size, size, channels, channels)."""
        size, width, out_channels, in_channels = shape
        if size != width:
            raise ValueError(f"a bilinear kernel is square; got {shape}.")
        return ops.cast(bilinear_kernel(size, in_channels, out_channels), dtype or "float32")
