"""VGG-16 as SSD changes it: its first two levels.

Letters: B images.
"""

import keras
from keras import layers

from zoo.backbones.padded_conv import PaddedConv
from zoo.backbones.vgg import VGG
from zoo.layers.l2_norm import L2Norm
from zoo.layers.layout import from_native, native_data_format, native_shape, public_shape, to_native


@keras.saving.register_keras_serializable(package="zoo")
class SSDVGG(layers.Layer):
    """VGG-16 with its last layers made convolutions (Liu 2016, SSD, section 3).

    Level one is conv4_3, brought to length 20. Behind conv5_3 the pooling keeps the sides, fc6
    is a 3x3 convolution of dilation 6, which looks as far as the 7x7 it comes from, and fc7 a 1x1
    one: level two. The third pooling rounds up, so 300 pixels make 38 and 19 cells.

    Args:
        freeze: how many stages of VGG do not train.
    Returns: on call with (B, H, W, 3), two maps of 512 and 1,024 channels and strides 8 and 16.
    """

    def __init__(self, freeze=0, **kwargs):
        super().__init__(**kwargs)
        self.freeze = freeze
        dtype = self.dtype_policy
        self.vgg = VGG(
            16, levels=("c4", "c5"), ceil_pools=(3,), freeze=freeze, dtype=dtype, name="vgg"
        )
        self.norm = L2Norm(dtype=dtype, name="norm")
        self.pool = layers.MaxPooling2D(
            3, 1, padding="same", data_format=native_data_format(), dtype=dtype, name="pool"
        )
        self.fc6 = PaddedConv(1024, 3, dilation=6, margin=6, dtype=dtype, name="fc6")
        self.fc7 = PaddedConv(1024, 1, dtype=dtype, name="fc7")

    @property
    def normalization(self) -> dict:
        """Mean and standard deviation of the pictures that VGG expects."""
        return self.vgg.normalization

    def build(self, input_shape):
        if not self.vgg.built:
            self.vgg.build(input_shape)
        finer, shape = self.vgg.compute_output_shape(input_shape)
        self.norm.build(finer)
        for layer in (self.pool, self.fc6, self.fc7):
            layer.build(native_shape(shape))
            shape = public_shape(layer.compute_output_shape(native_shape(shape)))
        self.built = True

    def call(self, images, training=False):
        finer, features = self.vgg(images, training=training)
        features = self.fc7(self.fc6(self.pool(to_native(features))))
        return [self.norm(finer), from_native(features)]

    def compute_output_shape(self, input_shape):
        finer, coarser = self.vgg.compute_output_shape(input_shape)
        return [finer, (*coarser[:3], 1024)]

    def get_config(self):
        return super().get_config() | {"freeze": self.freeze}
