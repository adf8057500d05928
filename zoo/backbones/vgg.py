"""VGG, as torchvision has it without batch norm."""

import keras
from keras import layers

from zoo.backbones.backbone import Backbone
from zoo.backbones.blocks import he_initializer
from zoo.layers.layout import native_data_format

# Simonyan 2015, table 1, columns D and E: convolutions a stage.
DEPTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


@keras.saving.register_keras_serializable(package="zoo")
class VGG(Backbone):
    """VGG without its classifier (Simonyan 2015).

    Levels: cK the last convolution of stage K before its pooling, of stride 2**(K - 1); pK what the
    pooling makes of it, of stride 2**K. There is no stem.

    Args:
        depth: 16 or 19.
        ceil_pools: numbers of the stages whose pooling rounds an odd side up, as SSD's does in
            stage 3; the others round down.
        **kwargs: of `Backbone`; there is no batch norm for `frozen_norm` to freeze.
    """

    all_levels = tuple(f"{kind}{stage}" for stage in range(1, 6) for kind in "cp")
    default_levels = ("p1", "p2", "p3", "p4", "p5")
    num_stages = 5

    def __init__(self, depth=16, *, ceil_pools=(), **kwargs):
        super().__init__(**kwargs)
        if depth not in DEPTHS:
            raise ValueError(f"depth must be one of {list(DEPTHS)}; got {depth}.")
        self.depth = depth
        self.ceil_pools = tuple(ceil_pools)
        self.create_blocks()

    def blocks_of(self, level):
        stage = int(level[1])
        if level.startswith("p"):
            return [self._pool(stage)]
        return [self._conv(stage, index) for index in range(DEPTHS[self.depth][stage - 1])]

    def _conv(self, stage, index):
        return layers.Conv2D(
            CHANNELS[stage - 1],
            3,
            padding="same",
            activation="relu",
            data_format=native_data_format(),
            kernel_initializer=he_initializer(),
            dtype=self.dtype_policy,
            name=f"conv{stage}_{index + 1}",
        )

    def _pool(self, stage):
        return layers.MaxPooling2D(
            2,
            padding="same" if stage in self.ceil_pools else "valid",
            data_format=native_data_format(),
            dtype=self.dtype_policy,
            name=f"pool{stage}",
        )

    def stage_levels(self, count) -> tuple[str, ...]:
        """Return the levels of the first `count` stages, two a stage."""
        return self.all_levels[: 2 * count]

    def get_config(self):
        return super().get_config() | {"depth": self.depth, "ceil_pools": list(self.ceil_pools)}
