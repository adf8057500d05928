"""The mask branch: crops of features to a mask a class.

Letters: B images, R regions, C classes.
"""

import keras
from keras import layers, ops

from zoo.layers.convolution import convolve
from zoo.layers.initializers import torch_default_initializer
from zoo.layers.layout import from_native, native_data_format, native_shape, to_native


@keras.saving.register_keras_serializable(package="zoo")
class MaskHead(layers.Layer):
    """Four 3x3 convolutions, a doubling, and a mask a class (He 2017, figure 4, right).

    Args:
        num_classes: C, without the background.
        channels: of the convolutions.
        depth: how many of them.
    Returns: on call with crops (B, R, h, w, channels), `mask_logits` (B, R, 2h, 2w, C) float32.
    """

    def __init__(self, num_classes, channels=256, depth=4, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.channels = channels
        self.depth = depth
        options = {"data_format": native_data_format(), "dtype": self.dtype_policy}
        self.convolutions = [
            layers.Conv2D(
                channels,
                3,
                padding="same",
                kernel_initializer="he_normal",
                name=f"conv_{n}",
                **options,
            )
            for n in range(depth)
        ]
        self.upsampler = layers.Conv2DTranspose(
            channels,
            2,
            strides=2,
            activation="relu",
            kernel_initializer="he_normal",
            name="upsampler",
            **options,
        )
        self.predictor = layers.Conv2D(
            num_classes,
            1,
            kernel_initializer=torch_default_initializer(),
            name="predictor",
            **options,
        )

    def build(self, crops_shape):
        shape = native_shape((None, *crops_shape[2:]))
        for layer in (*self.convolutions, self.upsampler, self.predictor):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, crops):
        regions, height, width, channels = crops.shape[1:]
        features = to_native(ops.reshape(crops, (-1, height, width, channels)))
        for conv in self.convolutions:
            features = convolve(conv, features, relu=True)
        features = convolve(self.predictor, self.upsampler(features))
        shape = (-1, regions, 2 * height, 2 * width, self.num_classes)
        return ops.cast(ops.reshape(from_native(features), shape), "float32")

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "channels": self.channels,
            "depth": self.depth,
        }
