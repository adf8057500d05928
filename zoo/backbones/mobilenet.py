"""MobileNetV2, as torchvision has it."""

import keras

from zoo.backbones.backbone import Backbone
from zoo.backbones.blocks import Chain, ConvNorm, Residual

# Sandler 2018, table 2: expansion, channels, repetitions, stride, by the level they end in.
STAGES = {
    "c1": ((1, 16, 1, 1),),
    "c2": ((6, 24, 2, 2),),
    "c3": ((6, 32, 3, 2),),
    "c4": ((6, 64, 4, 2), (6, 96, 3, 1)),
    "c5": ((6, 160, 3, 2), (6, 320, 1, 1)),
}
STEM_CHANNELS = 32


@keras.saving.register_keras_serializable(package="zoo")
class MobileNetV2(Backbone):
    """MobileNetV2 of width 1 without its classifier (Sandler 2018).

    Levels: c1..c5, each the last block of its stride; `top`, of c5's stride, is the 1x1
    convolution to 1280 channels behind it. The stem and the first block make c1.

    Args:
        **kwargs: of `Backbone`.
    """

    all_levels = ("c1", "c2", "c3", "c4", "c5", "top")
    default_levels = ("c2", "c3", "c4", "c5")
    num_stages = 4

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.create_blocks()

    def blocks_of(self, level):
        return inverted_residuals(self, level, STAGES)


def inverted_residuals(backbone, level, stages, *, kernels=(3,) * 7, padding="torch"):
    """Return the blocks of a level: inverted residuals, the stem before them, or the top.

    Args:
        backbone: the `Backbone` whose norms and dtype policy the blocks take.
        level: a key of `stages`, or "top".
        stages: as `STAGES`.
        kernels: the kernel size of each row of `stages`, in order.
        padding: as in `zoo.backbones.blocks`.
    """
    conv = {"norm": backbone.norm_options, "padding": padding, "dtype": backbone.dtype_policy}
    if level == "top":
        return [ConvNorm(1280, 1, activation="relu6", name="top", **conv)]
    rows = [row for row in _rows(stages, kernels) if row["level"] == level]
    blocks = [_inverted_residual(row, conv) for row in rows]
    if level != "c1":
        return blocks
    return [ConvNorm(STEM_CHANNELS, 3, 2, activation="relu6", name="stem", **conv), *blocks]


def _rows(stages, kernels):
    """Write the table out, a row a block."""
    groups = [(level, *group) for level, groups in stages.items() for group in groups]
    rows = []
    channels = STEM_CHANNELS
    for (level, expansion, filters, count, strides), kernel in zip(groups, kernels, strict=True):
        for index in range(count):
            rows.append(
                {
                    "level": level,
                    "number": len(rows),
                    "inputs": channels,
                    "wide": channels * expansion,
                    "filters": filters,
                    "strides": strides if index == 0 else 1,
                    "kernel": kernel,
                }
            )
            channels = filters
    return rows


def _inverted_residual(row, conv):
    convs = [
        ConvNorm(None, row["kernel"], row["strides"], activation="relu6", name="depthwise", **conv),
        ConvNorm(row["filters"], 1, activation=None, name="project", **conv),
    ]
    if row["wide"] > row["inputs"]:
        convs.insert(0, ConvNorm(row["wide"], 1, activation="relu6", name="expand", **conv))
    block = Residual if row["strides"] == 1 and row["inputs"] == row["filters"] else Chain
    return block(convs, dtype=conv["dtype"], name=f"block_{row['number']}")
