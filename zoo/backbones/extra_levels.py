"""More and coarser levels behind a backbone, as single-shot detectors have them.

Letters: B images, L levels of the backbone, E extra ones.
"""

import keras
from keras import layers

from zoo.backbones.blocks import Chain
from zoo.backbones.padded_conv import PaddedConv
from zoo.layers.layout import from_native, native_shape, public_shape, to_native


@keras.saving.register_keras_serializable(package="zoo")
class ExtraLevels(layers.Layer):
    """Levels that a 1x1 and a 3x3 convolution make of the one before (Liu 2016, SSD, figure 2).

    The 3x3 convolution halves the sides. A side of five cells or fewer may be cropped by it
    instead: without padding and stride it leaves three cells, and then one, as in SSD300.

    Args:
        backbone: a layer that gives L feature maps, with `normalization`.
        channels: of each of the E levels; half as many behind the 1x1 convolution.
        cropped: how many of the last levels are made without padding and stride.
    Returns: on call with (B, H, W, 3), a list of L + E maps (B, h, w, c), finest first.
    """

    def __init__(self, backbone, channels=(512, 256, 256), cropped=0, **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.channels = tuple(channels)
        self.cropped = cropped
        halving = len(self.channels) - cropped
        self.extras = [
            self._extra(count, halves=number < halving, name=f"extra_{number}")
            for number, count in enumerate(self.channels)
        ]

    def _extra(self, channels, *, halves, name):
        dtype = self.dtype_policy
        narrow = PaddedConv(channels // 2, 1, dtype=dtype, name="reduce")
        strides, margin = (2, 1) if halves else (1, 0)
        wide = PaddedConv(channels, 3, strides=strides, margin=margin, dtype=dtype, name="grow")
        return Chain([narrow, wide], dtype=self.dtype_policy, name=name)

    @property
    def normalization(self) -> dict:
        """Of the backbone."""
        return self.backbone.normalization

    def build(self, input_shape):
        if not self.backbone.built:
            self.backbone.build(input_shape)
        shape = native_shape(self.backbone.compute_output_shape(input_shape)[-1])
        for extra in self.extras:
            extra.build(shape)
            shape = extra.compute_output_shape(shape)
        self.built = True

    def call(self, images, training=False):
        levels = self.backbone(images, training=training)
        features = to_native(levels[-1])
        for extra in self.extras:
            features = extra(features)
            levels = [*levels, from_native(features)]
        return levels

    def compute_output_shape(self, input_shape):
        shapes = self.backbone.compute_output_shape(input_shape)
        shape = native_shape(shapes[-1])
        for extra in self.extras:
            shape = extra.compute_output_shape(shape)
            shapes = [*shapes, public_shape(shape)]
        return shapes

    def get_config(self):
        return super().get_config() | {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "channels": list(self.channels),
            "cropped": self.cropped,
        }

    @classmethod
    def from_config(cls, config):
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**config | {"backbone": backbone})
