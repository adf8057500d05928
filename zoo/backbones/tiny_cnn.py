"""TinyCNN, the backbone of the book's TinySSD (section 13.7.1).

Letters: B images, H and W the picture's sides in pixels.
"""

import keras
from keras import layers, ops

from zoo.layers.batch_norm import BatchNorm
from zoo.layers.initializers import torch_default_initializer
from zoo.layers.layout import (
    from_native,
    native_channel_axis,
    native_data_format,
    native_shape,
    to_native,
)


@keras.saving.register_keras_serializable(package="zoo")
class DownSampleBlock(layers.Layer):
    """Twice (3x3 convolution, batch norm, ReLU), then 2x2 max pooling: halves the sides.

    Works in the inner layout of `zoo.layers.layout`.

    Deviation: the convolutions have no bias, which the batch norm behind them would cancel.
    Deviation: the second ReLU stands behind the pooling. The maximum of rectified values is the
    rectified maximum, so values and gradients are the book's, on a quarter of the elements.

    Args:
        filters: channels of the output.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.convolutions = [self._convolution(f"conv_{i}") for i in range(2)]
        self.norms = [
            BatchNorm(axis=native_channel_axis(), dtype=self.dtype_policy, name=f"norm_{i}")
            for i in range(2)
        ]
        self.pool = layers.MaxPooling2D(
            2, data_format=native_data_format(), dtype=self.dtype_policy, name="pool"
        )

    def _convolution(self, name):
        return layers.Conv2D(
            self.filters,
            3,
            padding="same",
            use_bias=False,
            data_format=native_data_format(),
            kernel_initializer=torch_default_initializer(),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape):
        shape = input_shape
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            norm.build(shape)
        self.built = True

    def call(self, features, training=False):
        first, second = self.convolutions
        features = ops.relu(self.norms[0](first(features), training=training))
        features = self.norms[1](second(features), training=training)
        return ops.relu(self.pool(features))

    def compute_output_shape(self, input_shape):
        return self.pool.compute_output_shape(
            self.convolutions[-1].compute_output_shape(input_shape)
        )

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="zoo")
class TinyCNN(layers.Layer):
    """Five feature levels: a base network of three halvings, two more, and a global maximum.

    On a 256x256 picture the levels are 32x32, 16x16, 8x8, 4x4 and 1x1 cells.

    Args:
        base_filters: channels of the blocks before the first level.
        level_filters: channels of the block before each level from the second to the last but one;
            the last level is the global maximum of the one before.
    Returns: on call with (B, H, W, 3), a list of (B, h, w, c), finest level first.
    """

    def __init__(self, base_filters=(16, 32, 64), level_filters=(128, 128, 128), **kwargs):
        super().__init__(**kwargs)
        self.base_filters = tuple(base_filters)
        self.level_filters = tuple(level_filters)
        self.base_blocks = self._blocks("base", self.base_filters)
        self.level_blocks = self._blocks("level", self.level_filters)
        self.global_pool = layers.GlobalMaxPooling2D(
            keepdims=True, data_format=native_data_format(), dtype=self.dtype_policy
        )

    def _blocks(self, name, filters):
        return [
            DownSampleBlock(count, dtype=self.dtype_policy, name=f"{name}_{i}")
            for i, count in enumerate(filters)
        ]

    def build(self, input_shape):
        smallest = 2 ** len(self.base_blocks + self.level_blocks)
        if min(input_shape[1:3]) < smallest:
            raise ValueError(
                f"pictures must be at least {smallest}x{smallest} pixels to be halved at every "
                f"block; got {input_shape[1]}x{input_shape[2]}. Is image_size too small?"
            )
        shape = native_shape(input_shape)
        for block in self.base_blocks + self.level_blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        self.built = True

    def call(self, images, training=False):
        features = to_native(images)
        for block in self.base_blocks:
            features = block(features, training=training)
        levels = [features]
        for block in self.level_blocks:
            levels.append(block(levels[-1], training=training))
        levels.append(self.global_pool(levels[-1]))
        return [from_native(level) for level in levels]

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        stride = 2 ** len(self.base_blocks)
        shapes = []
        for filters in (self.base_filters[-1], *self.level_filters):
            shapes.append((batch, height // stride, width // stride, filters))
            stride *= 2
        return [*shapes, (batch, 1, 1, self.level_filters[-1])]

    def get_config(self):
        return super().get_config() | {
            "base_filters": list(self.base_filters),
            "level_filters": list(self.level_filters),
        }
