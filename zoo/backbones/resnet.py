"""ResNet, as torchvision has it (version 1.5: a bottleneck's stride is on its 3x3 convolution)."""

import keras

from zoo.backbones.backbone import Backbone
from zoo.backbones.blocks import ConvNorm, PaddedMaxPool, Residual

# He 2016, table 1: blocks a stage, and whether they are bottlenecks.
DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
}


@keras.saving.register_keras_serializable(package="zoo")
class ResNet(Backbone):
    """ResNet without its classifier (He 2016).

    Levels: c1 the stem of stride 2, c2..c5 the four stages.

    Args:
        depth: 18, 34, 50 or 101.
        output_stride: 32; 16 or 8 let the last one or two stages keep their input's size and widen
            their 3x3 convolutions instead (Chen 2017, DeepLab; torchvision's FCN).
        **kwargs: of `Backbone`.

    Deviation: a bottleneck's stride is on its 3x3 convolution, not on its first 1x1, as the weights
    of torchvision have it.
    """

    all_levels = ("c1", "c2", "c3", "c4", "c5")
    default_levels = ("c2", "c3", "c4", "c5")
    num_stages = 4

    def __init__(self, depth=50, *, output_stride=32, **kwargs):
        super().__init__(**kwargs)
        if depth not in DEPTHS:
            raise ValueError(f"depth must be one of {list(DEPTHS)}; got {depth}.")
        if output_stride not in (8, 16, 32):
            raise ValueError(f"output_stride must be 8, 16 or 32; got {output_stride}.")
        self.depth = depth
        self.output_stride = output_stride
        self.create_blocks()

    def blocks_of(self, level):
        if level == "c1":
            return [self._conv(64, 7, 2, name="stem")]
        stage = self.all_levels.index(level)
        counts, _ = DEPTHS[self.depth]
        blocks = [self._block(stage, index) for index in range(counts[stage - 1])]
        if stage > 1:
            return blocks
        return [PaddedMaxPool(3, 2, dtype=self.dtype_policy, name="pool"), *blocks]

    def _block(self, stage, index):
        bottleneck = DEPTHS[self.depth][1]
        channels = 64 * 2 ** (stage - 1)
        strides, dilation = self._reach(stage, index)
        convs = (
            [
                self._conv(channels, 1, name="conv1"),
                self._conv(channels, 3, strides, dilation=dilation, name="conv2"),
                self._conv(4 * channels, 1, activation=None, name="conv3"),
            ]
            if bottleneck
            else [
                self._conv(channels, 3, strides, dilation=dilation, name="conv1"),
                self._conv(channels, 3, dilation=dilation, activation=None, name="conv2"),
            ]
        )
        shortcut = None
        if index == 0 and (stage > 1 or bottleneck):
            filters = 4 * channels if bottleneck else channels
            shortcut = self._conv(filters, 1, strides, activation=None, name="shortcut")
        return Residual(
            convs,
            shortcut=shortcut,
            activation="relu",
            dtype=self.dtype_policy,
            name=f"layer{stage}_{index}",
        )

    def _reach(self, stage, index):
        """Return stride and dilation of a block; a stage's first has the dilation before it."""
        dilation = max(1, 2 ** (stage + 1) // self.output_stride)
        if index > 0:
            return 1, dilation
        if dilation > 1:
            return 1, dilation // 2
        return (1 if stage == 1 else 2), 1

    def _conv(self, filters, kernel_size, strides=1, **kwargs):
        return ConvNorm(
            filters,
            kernel_size,
            strides,
            norm=self.norm_options,
            dtype=self.dtype_policy,
            **kwargs,
        )

    def get_config(self):
        return super().get_config() | {"depth": self.depth, "output_stride": self.output_stride}
