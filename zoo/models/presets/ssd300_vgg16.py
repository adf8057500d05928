"""SSD300 on VGG-16 (Liu 2016), and SSD on any other backbone of zoo."""

import math
from itertools import pairwise

from zoo.backbones import create_backbone
from zoo.backbones.extra_levels import ExtraLevels
from zoo.backbones.ssd_vgg import SSDVGG
from zoo.layers import (
    AnchorGenerator,
    BoxCoder,
    Decoder,
    ImageConverter,
    LabelEncoder,
    Matcher,
    Normalize,
)
from zoo.losses import MultiBoxLoss
from zoo.models.presets.sizes import height_width
from zoo.models.ssd import SSD

# Of the boxes on six levels, and one more for the last level's larger box: those that torchvision
# trained on COCO with. The paper has .1 .2 .375 .55 .725 .9 1.05 for VOC (section 2.2 and 3.1).
SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
RATIOS = ((1, 2, 1 / 2), *[(1, 2, 1 / 2, 3, 1 / 3)] * 3, *[(1, 2, 1 / 2)] * 2)
# Liu's code lays the cells of the six levels so many of 300 pixels apart.
STEPS = (8, 16, 32, 64, 100, 300)
# Section 2.2 has the threshold and the 200; 400 candidates a class are of Liu's code.
DECODING = {
    "iou_threshold": 0.45,
    "pre_nms": None,
    "class_pre_nms": 400,
    "max_detections": 200,
}
# VGG in Liu's code takes pixels in 0..255 less ImageNet's mean.
CAFFE_NORMALIZATION = {"mean": [0.48235, 0.45882, 0.40784], "std": 1 / 255}


def ssd300_vgg16(
    class_names,
    *,
    image_size=300,
    resize="resize",
    backbone="vgg16",
    backbone_weights=None,
    freeze=0,
    scales=SCALES,
    caffe_pixels=False,
    loss=None,
    dtype=None,
    **decoder,
) -> SSD:
    """Build SSD300 (Liu 2016): six levels, 8,732 boxes at 300x300.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels, or (height, width).
        resize: how pictures are fitted, "resize" or "letterbox".
        backbone: "vgg16", SSD300's own; another of `zoo.backbones.list_backbones()`, whose levels
            c3, c4 and c5 get three more; or a layer giving six feature levels.
        backbone_weights: None for fresh ones, or "imagenet" where a package carries them.
        freeze: how many of the backbone's stages do not train.
        scales: of the boxes, seven fractions of the picture's side.
        caffe_pixels: whether the network takes pixels as Liu's code and torchvision's checkpoint
            do, in 0..255 less their mean, and not as the backbone does.
        loss: None: `MultiBoxLoss` with smooth L1.
        dtype: the dtype policy; None: Keras' global one.
        **decoder: of `Decoder`, such as `score_threshold`.
    """
    own = backbone == "vgg16"
    if isinstance(backbone, str):
        create = _vgg_levels if own else _other_levels
        backbone = create(backbone, weights=backbone_weights, freeze=freeze, dtype=dtype)
    pixels = CAFFE_NORMALIZATION if caffe_pixels else backbone.normalization
    coder = BoxCoder()
    return SSD(
        backbone=backbone,
        anchor_generator=AnchorGenerator(
            sizes=[[scale, math.sqrt(scale * larger)] for scale, larger in pairwise(scales)],
            ratios=RATIOS,
            steps=[step / 300 for step in STEPS] if own else None,
            limit_sides=True,
        ),
        label_encoder=LabelEncoder(Matcher(0.5), coder),
        decoder=Decoder(coder, **DECODING | decoder),
        loss=loss if loss is not None else MultiBoxLoss(smooth=True),
        image_converter=ImageConverter(height_width(image_size), mode=resize),
        normalize=Normalize(**pixels, dtype=dtype, name="normalize"),
        class_names=class_names,
        dtype=dtype,
        name="ssd300_vgg16" if own else "ssd",
    )


def _vgg_levels(name, *, weights, freeze, dtype):
    """SSD300's six levels: four behind fc7, the last two of them without padding."""
    base = SSDVGG(freeze=freeze, dtype=dtype, name="ssd_vgg")
    if weights is not None:
        base.build((None, 300, 300, 3))
        known = create_backbone(name, levels=("c5",), weights=weights)
        base.vgg.set_weights(known.get_weights())
    return ExtraLevels(base, (512, 256, 256, 256), cropped=2, dtype=dtype, name="backbone")


def _other_levels(name, *, weights, freeze, dtype):
    """Three levels of the backbone, and three behind them."""
    levels = ("c3", "c4", "c5")
    base = create_backbone(name, levels=levels, weights=weights, freeze=freeze, dtype=dtype)
    return ExtraLevels(base, (512, 256, 256), dtype=dtype, name="backbone")
