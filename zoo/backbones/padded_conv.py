"""A convolution with a bias and padding that is said in numbers, in the inner layout."""

from keras import layers

from zoo.backbones.blocks import he_initializer
from zoo.layers.convolution import convolve, pad_shape
from zoo.layers.layout import native_data_format


class PaddedConv(layers.Layer):
    """Convolution with bias and ReLU behind `margin` zeros on every side.

    Args:
        filters: channels of the output.
        kernel_size, strides, dilation: of the convolution, the same in both directions.
        margin: rows and columns of zeros on each side.
    """

    def __init__(self, filters, kernel_size, *, strides=1, dilation=1, margin=0, **kwargs):
        super().__init__(**kwargs)
        self.margin = margin
        self.conv = layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            dilation_rate=dilation,
            data_format=native_data_format(),
            kernel_initializer=he_initializer(),
            dtype=self.dtype_policy,
            name="conv",
        )

    def build(self, input_shape):
        self.conv.build(pad_shape(input_shape, self.margin))
        self.built = True

    def call(self, features):
        return convolve(self.conv, features, margin=self.margin, relu=True)

    def compute_output_shape(self, input_shape):
        return self.conv.compute_output_shape(pad_shape(input_shape, self.margin))
