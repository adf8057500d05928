"""Tables of torchvision's detectors, as `zoo.weights.tables` explains.

torchvision predicts a box and a mask for the background too, which nobody reads: `drop_first`
leaves them out. Names of its older files are brought up to date by `modern_names`.
"""

import re
from functools import partial

import numpy as np

from zoo.weights.tables import AS_IS, CONV, DENSE, conv_table, dense_table

CROP = 7  # cells a side of what the second stage sees, in torchvision
# As torchvision renames them when it opens the files it publishes.
_RENAMED = (
    (r"^(.*fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2"),
    (r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1"),
    (r"^roi_heads\.mask_head\.mask_fcn(\d)\.(weight|bias)$", None),
)


def modern_names(state) -> dict:
    """Return a state dict under the names that torchvision's detectors have today."""
    return {_modern(name): array for name, array in state.items()}


def _modern(name):
    for pattern, replacement in _RENAMED:
        match = re.match(pattern, name)
        if match and replacement is None:
            return f"roi_heads.mask_head.{int(match[1]) - 1}.0.{match[2]}"
        if match:
            return match.expand(replacement)
    return name


def rpn_table():
    """Map the head of the region proposal network."""
    return (
        conv_table("rpn.head.conv.0.0", "conv")
        | conv_table("rpn.head.cls_logits", "objectness")
        | conv_table("rpn.head.bbox_pred", "deltas")
    )


def box_head_table():
    """Map the two hidden layers and the predictors of the second stage."""
    box_head, predictor = "roi_heads.box_head", "roi_heads.box_predictor"
    regressor = {
        f"{predictor}.bbox_pred.weight": ("regressor/kernel", partial(drop_first, rows=4)),
        f"{predictor}.bbox_pred.bias": ("regressor/bias", partial(drop_first, rows=4)),
    }
    hidden = dense_table(f"{box_head}.fc6", "hidden_0") | dense_table(f"{box_head}.fc7", "hidden_1")
    hidden[f"{box_head}.fc6.weight"] = ("hidden_0/kernel", channels_last_rows)
    return hidden | dense_table(f"{predictor}.cls_score", "classifier") | regressor


def mask_head_table():
    """Map the mask branch."""
    table = {}
    for n in range(4):
        table |= conv_table(f"roi_heads.mask_head.{n}.0", f"conv_{n}")
    predictor = "roi_heads.mask_predictor"
    # PyTorch's (in, out, h, w) of a transposed convolution -> Keras' (h, w, out, in).
    table |= conv_table(f"{predictor}.conv5_mask", "upsampler")
    return table | {
        f"{predictor}.mask_fcn_logits.weight": ("predictor/kernel", partial(drop_first, rows=1)),
        f"{predictor}.mask_fcn_logits.bias": ("predictor/bias", partial(drop_first, rows=1)),
    }


def ssd_vgg_tables():
    """Map SSD300's backbone: tables of VGG, of what stands behind it, and of the extra levels."""
    vgg = {}
    number = 0
    for stage, count in enumerate((2, 2, 3, 3), start=1):
        for index in range(1, count + 1):
            vgg |= conv_table(f"backbone.features.{number}", f"conv{stage}_{index}")
            number += 2
        number += 1
    for index in (1, 2, 3):
        vgg |= conv_table(f"backbone.extra.0.{2 * index - 1}", f"conv5_{index}")
    behind = {"backbone.scale_weight": ("norm/gamma", AS_IS)}
    behind |= conv_table("backbone.extra.0.7.1", "fc6/conv")
    behind |= conv_table("backbone.extra.0.7.3", "fc7/conv")
    extra = {}
    for n in range(4):
        extra |= conv_table(f"backbone.extra.{n + 1}.0", f"extra_{n}/reduce/conv")
        extra |= conv_table(f"backbone.extra.{n + 1}.2", f"extra_{n}/grow/conv")
    return vgg, behind, extra


def ssd_head_table(count):
    """Map the predictors of `count` levels."""
    table = {}
    for n in range(count):
        table |= conv_table(f"head.classification_head.module_list.{n}", f"class_predictor_{n}")
        table |= conv_table(f"head.regression_head.module_list.{n}", f"box_predictor_{n}")
    return table


def drop_first(array, *, rows):
    """Leave out the background's rows, then bring the rest to our layout."""
    kept = array[rows:]
    return np.transpose(kept, {1: (0,), 2: DENSE, 4: CONV}[kept.ndim])


def channels_last_rows(array):
    """Bring a dense kernel on flattened (channels, h, w) crops to flattened (h, w, channels)."""
    units, inputs = array.shape
    crops = np.reshape(array, (units, inputs // CROP**2, CROP, CROP))
    return np.reshape(np.transpose(crops, (2, 3, 1, 0)), (inputs, units))
