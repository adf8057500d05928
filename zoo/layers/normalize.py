"""Pixels to network input: the only place that knows about 0..255."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class Normalize(keras.layers.Layer):
    """Map pixels in 0..255, of any dtype, to `(pixels / 255 - mean) / std`.

    Args:
        mean, std: one float, or one a channel, in units of the picture scaled to 0..1; std > 0.
    Returns: on call, the shape of the input in the layer's compute dtype.
    """

    def __init__(self, mean=0.0, std=1.0, **kwargs):
        # uint8 arrives here: autocast would leave it alone, and a float input must not lose bits to
        # bfloat16 before the scaling.
        super().__init__(autocast=False, **kwargs)
        if np.min(std) <= 0:
            raise ValueError(f"std must be positive, in units of a picture in 0..1; got {std}.")
        self.mean = mean
        self.std = std

    def call(self, images):
        # Tensors: PyTorch refuses a NumPy array beside pixels that a gradient is asked of.
        scale = ops.convert_to_tensor(1.0 / (255.0 * np.asarray(self.std)), "float32")
        shift = ops.convert_to_tensor(-np.asarray(self.mean) / np.asarray(self.std), "float32")
        return ops.cast(ops.cast(images, "float32") * scale + shift, self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"mean": self.mean, "std": self.std}
