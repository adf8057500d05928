"""A feature pyramid over any backbone, as torchvision has it.

Letters: L levels of the backbone.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from zoo.layers.convolution import convolve
from zoo.layers.layout import (
    from_native,
    native_channel_axis,
    native_data_format,
    native_shape,
    to_native,
)


@keras.saving.register_keras_serializable(package="zoo")
class FPN(layers.Layer):
    """Feature Pyramid Network (Lin 2017): coarse meaning brought down to fine levels.

    Each level is a 1x1 convolution of the backbone's, plus the next coarser one brought to its size
    by nearest neighbours, and then a 3x3 convolution. A backbone itself.

    Args:
        backbone: a layer that gives L feature maps, with `strides` and `normalization`.
        channels: of every level.
        extra: "max_pool": one more level, every second cell of the coarsest; None: no more.
    Returns: on call with (B, H, W, 3), a list of (B, h, w, channels), finest first.
    """

    def __init__(self, backbone, channels=256, extra="max_pool", **kwargs):
        super().__init__(**kwargs)
        if extra not in ("max_pool", None):
            raise ValueError(f'extra must be "max_pool" or None; got {extra!r}.')
        self.backbone = backbone
        self.channels = channels
        self.extra = extra
        count = len(backbone.strides)
        self.laterals = [self._conv(1, f"lateral_{n}") for n in range(count)]
        self.smoothers = [self._conv(3, f"smooth_{n}") for n in range(count)]

    def _conv(self, kernel_size, name):
        # PyTorch's kaiming_uniform_(a=1), as the pyramid of torchvision starts.
        initializer = keras.initializers.VarianceScaling(1.0, mode="fan_in", distribution="uniform")
        return layers.Conv2D(
            self.channels,
            kernel_size,
            padding="same",
            data_format=native_data_format(),
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    @property
    def strides(self) -> tuple[int, ...]:
        """The stride of each level, in pixels."""
        strides = tuple(self.backbone.strides)
        return strides if self.extra is None else (*strides, 2 * strides[-1])

    @property
    def level_names(self) -> tuple[str, ...]:
        """p2 for stride 4, p3 for stride 8, ..."""
        return tuple(f"p{round(math.log2(stride))}" for stride in self.strides)

    @property
    def normalization(self) -> dict:
        """What the backbone expects."""
        return self.backbone.normalization

    def build(self, input_shape):
        if not self.backbone.built:
            self.backbone.build(input_shape)
        shapes = self.backbone.compute_output_shape(input_shape)
        for lateral, smoother, shape in zip(self.laterals, self.smoothers, shapes, strict=True):
            lateral.build(native_shape(shape))
            smoother.build(native_shape((*shape[:3], self.channels)))
        self.built = True

    def call(self, images, training=False):
        levels = self.backbone(images, training=training)
        pairs = zip(self.laterals, levels, strict=True)
        merged = [convolve(lateral, to_native(level)) for lateral, level in pairs]
        for n in range(len(merged) - 2, -1, -1):
            merged[n] = merged[n] + _enlarge(merged[n + 1], merged[n].shape)
        pairs = zip(self.smoothers, merged, strict=True)
        outputs = [from_native(convolve(smoother, level)) for smoother, level in pairs]
        if self.extra is not None:
            outputs.append(outputs[-1][:, ::2, ::2])
        return outputs

    def compute_output_shape(self, input_shape):
        shapes = [
            (*shape[:3], self.channels) for shape in self.backbone.compute_output_shape(input_shape)
        ]
        if self.extra is not None:
            batch, height, width, channels = shapes[-1]
            shapes.append((batch, _half(height), _half(width), channels))
        return shapes

    def get_config(self):
        return super().get_config() | {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "channels": self.channels,
            "extra": self.extra,
        }

    @classmethod
    def from_config(cls, config):
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**config | {"backbone": backbone})


def _half(side):
    return None if side is None else (side + 1) // 2


def _enlarge(features, shape):
    """Bring a native feature map to the sides of `shape`: cell i takes floor(i * small / large)."""
    channels = native_channel_axis()
    for axis in (1, 2, 3):
        if axis != channels and features.shape[axis] != shape[axis]:
            features = _enlarge_axis(features, axis, shape[axis])
    return features


def _enlarge_axis(features, axis, size):
    small = features.shape[axis]
    if size == 2 * small:  # a copy, whose gradient is a sum where a gather's would be a scatter
        return ops.repeat(features, 2, axis=axis)
    return ops.take(features, np.arange(size) * small // size, axis=axis)
