"""The feed-forward network of style transfer: a picture in, the picture in its style out.

Letters: B pictures, H and W their sides, F filters of the first convolution. Inside, feature maps
have the layout of `zoo.layers.layout`.
"""

import keras
from keras import layers, ops

from zoo.backbones.blocks import ACTIVATIONS, Residual, build_chain, pad_shape
from zoo.layers.layout import (
    from_native,
    native_channel_axis,
    native_data_format,
    native_shape,
    to_native,
)


class ReflectConv(layers.Layer):
    """Reflection padding, a convolution, instance norm (Ulyanov 2016) and an activation.

    Args:
        filters, kernel_size, strides: of the convolution.
        norm: whether an instance norm follows.
        activation: None or "relu".
        upsample: how many times as large nearest neighbours make the input first.
    """

    def __init__(
        self, filters, kernel_size, strides=1, *, norm=True, activation="relu", upsample=1, **kwargs
    ):
        super().__init__(**kwargs)
        self.margin = kernel_size // 2
        self.activation = activation
        self.upsample = upsample
        self.conv = layers.Conv2D(
            filters,
            kernel_size,
            strides,
            use_bias=not norm,
            data_format=native_data_format(),
            dtype=self.dtype_policy,
            name="conv",
        )
        self.norm = None
        if norm:
            axis = native_channel_axis()
            self.norm = layers.GroupNormalization(
                -1, axis=axis, epsilon=1e-5, dtype=self.dtype_policy, name="norm"
            )

    def build(self, input_shape):
        padded = pad_shape(self._enlarged_shape(input_shape), self.margin)
        self.conv.build(padded)
        if self.norm is not None:
            self.norm.build(self.conv.compute_output_shape(padded))
        self.built = True

    def call(self, features):
        for axis in self._sides() if self.upsample > 1 else ():
            features = ops.repeat(features, self.upsample, axis=axis)
        margins = [(self.margin,) * 2 if axis in self._sides() else (0, 0) for axis in range(4)]
        features = self.conv(ops.pad(features, margins, mode="reflect"))
        features = features if self.norm is None else self.norm(features)
        return ACTIVATIONS[self.activation](features)

    def compute_output_shape(self, input_shape):
        padded = pad_shape(self._enlarged_shape(input_shape), self.margin)
        return self.conv.compute_output_shape(padded)

    def _sides(self):
        return (2, 3) if native_channel_axis() == 1 else (1, 2)

    def _enlarged_shape(self, shape):
        return tuple(
            side * self.upsample if axis in self._sides() and side is not None else side
            for axis, side in enumerate(shape)
        )


@keras.saving.register_keras_serializable(package="zoo")
class StyleNetwork(layers.Layer):
    """Down to a quarter, residual blocks, and up again (Johnson 2016, supplement).

    Deviation: instance norm for batch norm, as Ulyanov 2016 found it better; upsampling by nearest
    neighbours for strided transposed convolutions, which leave chequers (Odena 2016); reflection
    padding at each convolution for 40 pixels at the picture's border.

    Args:
        filters: F; 2 F and 4 F follow.
        residual_blocks: at a quarter of the size.
    Returns: on call with (B, H, W, 3), normalised, (B, H, W, 3) in 0..255.
    """

    # A reflection is narrower than its map: 4 pixels of the picture, and 1 of a quarter of it.
    smallest_side = 5

    def __init__(self, filters=32, residual_blocks=5, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.residual_blocks = residual_blocks
        dtype = self.dtype_policy
        wide = 4 * filters
        self.blocks = [
            ReflectConv(filters, 9, dtype=dtype, name="down1"),
            ReflectConv(2 * filters, 3, 2, dtype=dtype, name="down2"),
            ReflectConv(wide, 3, 2, dtype=dtype, name="down3"),
            *[_residual(wide, number, dtype) for number in range(1, residual_blocks + 1)],
            ReflectConv(2 * filters, 3, upsample=2, dtype=dtype, name="up1"),
            ReflectConv(filters, 3, upsample=2, dtype=dtype, name="up2"),
            ReflectConv(3, 9, norm=False, activation=None, dtype=dtype, name="out"),
        ]

    def build(self, input_shape):
        build_chain(self.blocks, native_shape(input_shape))
        self.built = True

    def call(self, images):
        features = to_native(images)
        for block in self.blocks:
            features = block(features)
        # A side that 4 does not divide has grown to the next one that it does.
        height, width = ops.shape(images)[1], ops.shape(images)[2]
        pixels = from_native(features)[:, :height, :width]
        return 127.5 * (ops.tanh(ops.cast(pixels, "float32")) + 1.0)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "residual_blocks": self.residual_blocks,
        }


def _residual(filters, number, dtype):
    """Two convolutions, no ReLU behind the addition (Gross and Wilber 2016)."""
    branch = [
        ReflectConv(filters, 3, dtype=dtype, name="first"),
        ReflectConv(filters, 3, activation=None, dtype=dtype, name="second"),
    ]
    return Residual(branch, dtype=dtype, name=f"residual{number}")
