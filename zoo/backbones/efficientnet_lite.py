"""EfficientNet-Lite0, as TensorFlow's authors trained it (timm's `tf_efficientnet_lite0`)."""

import keras

from zoo.backbones.backbone import Backbone
from zoo.backbones.mobilenet import inverted_residuals

# Tan 2019, table 1, without squeeze and excitation: expansion, channels, repetitions, stride.
STAGES = {
    "c1": ((1, 16, 1, 1),),
    "c2": ((6, 24, 2, 2),),
    "c3": ((6, 40, 2, 2),),
    "c4": ((6, 80, 3, 2), (6, 112, 3, 1)),
    "c5": ((6, 192, 4, 2), (6, 320, 1, 1)),
}
KERNELS = (3, 3, 5, 3, 5, 5, 3)


@keras.saving.register_keras_serializable(package="zoo")
class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 without its classifier (Tan 2019).

    Levels: as `MobileNetV2`'s. Its strided convolutions pad as TensorFlow does.

    Args:
        **kwargs: of `Backbone`.
    """

    all_levels = ("c1", "c2", "c3", "c4", "c5", "top")
    default_levels = ("c2", "c3", "c4", "c5")
    num_stages = 4
    norm_momentum = 0.99

    def __init__(self, *, norm_epsilon=1e-3, **kwargs):
        super().__init__(norm_epsilon=norm_epsilon, **kwargs)
        self.create_blocks()

    def blocks_of(self, level):
        return inverted_residuals(self, level, STAGES, kernels=KERNELS, padding="same")

    @property
    def normalization(self) -> dict:
        """Mean and standard deviation of the pictures that ImageNet weights expect."""
        return {"mean": [127 / 255] * 3, "std": [128 / 255] * 3}  # as its authors scale: -1..1
