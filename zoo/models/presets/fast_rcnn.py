"""Fast R-CNN (Girshick 2015) on any backbone of zoo."""

from zoo.backbones import create_backbone
from zoo.layers import (
    BoxCoder,
    ImageConverter,
    Matcher,
    Normalize,
    RegionSampler,
    RoICrop,
    RoIDecoder,
    SelectiveSearch,
)
from zoo.losses import RoILoss
from zoo.models.fast_rcnn import FastRCNN
from zoo.models.presets.sizes import height_width


def fast_rcnn(
    class_names,
    *,
    image_size=600,
    resize="letterbox",
    backbone="vgg16",
    backbone_weights=None,
    level="c5",
    frozen_norm=None,
    freeze=0,
    proposals=500,
    search="fast",
    search_side=300,
    roi_samples=64,
    roi_positive_fraction=0.25,
    head_units=4096,
    dtype=None,
    **decoder,
) -> FastRCNN:
    """Build Fast R-CNN: selective search, RoI pooling, two fully connected layers.

    Deviation: every proposal that overlaps no object by half is background; the paper leaves out
    those that overlap none by a tenth, a hard-example rule its successor dropped.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels, or (height, width).
        resize: how pictures are fitted, "resize" or "letterbox".
        backbone: one of `zoo.backbones.list_backbones()`, or a layer giving feature maps.
        backbone_weights: None for fresh ones, or "imagenet" where a package carries them.
        level: of the backbone, that the regions are pooled from.
        frozen_norm: whether batch norms keep their statistics; None: if the backbone has weights.
        freeze: how many of the backbone's stages do not train.
        proposals, search, search_side: `count`, `mode` and `side` of `SelectiveSearch`.
        roi_samples, roi_positive_fraction: regions a picture that are learnt from, and the largest
            share of positives among them.
        head_units: of the two hidden layers.
        dtype: the dtype policy; None: Keras' global one.
        **decoder: of `RoIDecoder`, such as `score_threshold`.
    """
    if isinstance(backbone, str):
        backbone = create_backbone(
            backbone,
            levels=(level,),
            weights=backbone_weights,
            frozen_norm=backbone_weights is not None if frozen_norm is None else frozen_norm,
            freeze=freeze,
            dtype=dtype,
        )
    coder = BoxCoder()
    matcher = Matcher(0.5, bipartite=False)
    return FastRCNN(
        proposer=SelectiveSearch(proposals, mode=search, side=search_side),
        backbone=backbone,
        region_sampler=RegionSampler(matcher, coder, roi_samples, roi_positive_fraction),
        roi_crop=RoICrop(7, kind="pool", dtype=dtype, name="roi_crop"),
        roi_loss=RoILoss(beta=1.0),
        decoder=RoIDecoder(coder, **decoder),
        head_units=head_units,
        image_converter=ImageConverter(height_width(image_size), mode=resize),
        normalize=Normalize(**backbone.normalization, dtype=dtype, name="normalize"),
        class_names=class_names,
        dtype=dtype,
        name="fast_rcnn",
    )
