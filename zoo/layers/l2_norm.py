"""L2 normalisation of a feature map with a learnt scale.

Letters: B images, C channels.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="zoo")
class L2Norm(layers.Layer):
    """Bring each cell's features to length 1, times a learnt scale a channel.

    SSD's finest level comes from the middle of VGG, whose features are many times larger than
    those of the levels behind it (Liu 2015, ParseNet, section 3.3; Liu 2016, SSD, section 3.1).

    Args:
        scale: that the channels start with.
    Returns: on call with (B, H, W, C), the same shape.
    """

    def __init__(self, scale=20.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def build(self, input_shape):
        self.gamma = self.add_weight(
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.scale),
            name="gamma",
        )
        self.built = True

    def call(self, features):
        values = ops.cast(features, "float32")  # squares of 512 channels outgrow bfloat16's 8 bits
        length = ops.sqrt(ops.sum(ops.square(values), axis=-1, keepdims=True) + 1e-12)
        return ops.cast(values / length * ops.cast(self.gamma, "float32"), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"scale": self.scale}
