"""torchvision's head of a fully convolutional network.

Letters: B images, (h, w) cells of a level, C classes.
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
from zoo.ops.resize import resize_bilinear


@keras.saving.register_keras_serializable(package="zoo")
class FCNHead(layers.Layer):
    """A 3x3 convolution, batch norm, ReLU, dropout and a 1x1 convolution on the last level.

    Its scores are enlarged to the picture by bilinear interpolation, nothing is learnt for that: it
    is made for backbones of stride 8.

    Args:
        num_classes: C.
        channels: of the 3x3 convolution; None: a quarter of the level's.
        dropout: share of features left out in training.
    Returns: on call with a list of (B, h, w, channels), the last one's scores (B, h, w, C) float32.
    """

    multiple = 1  # of which a picture's sides must be multiples

    def __init__(self, num_classes, channels=None, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.channels = channels
        self.norm = BatchNorm(axis=native_channel_axis(), dtype=self.dtype_policy, name="norm")
        self.dropout = layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.predictor = self._conv(num_classes, 1, name="predictor")

    def _conv(self, filters, kernel_size, **options):
        return layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            data_format=native_data_format(),
            kernel_initializer=torch_default_initializer(),
            dtype=self.dtype_policy,
            **options,
        )

    def build(self, level_shapes):
        shape = level_shapes[-1]
        channels = self.channels or shape[-1] // 4
        self.conv = self._conv(channels, 3, use_bias=False, name="conv")
        self.conv.build(native_shape(shape))
        self.norm.build(native_shape((*shape[:3], channels)))
        self.predictor.build(native_shape((*shape[:3], channels)))
        self.built = True

    def call(self, levels, training=False):
        features = self.norm(self.conv(to_native(levels[-1])), training=training)
        features = self.dropout(ops.relu(features), training=training)
        return ops.cast(from_native(self.predictor(features)), "float32")

    def fit(self, scores, size):
        """Bring scores to the picture's (height, width)."""
        return resize_bilinear(scores, size)

    def compute_output_shape(self, level_shapes):
        return (*level_shapes[-1][:3], self.num_classes)

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "channels": self.channels,
            "dropout": self.dropout.rate,
        }
