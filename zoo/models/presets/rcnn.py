"""R-CNN (Girshick 2014) on any backbone of zoo."""

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
from zoo.models.presets.sizes import height_width
from zoo.models.rcnn import RCNN


def rcnn(
    class_names,
    *,
    image_size=512,
    resize="letterbox",
    backbone="resnet18",
    backbone_weights=None,
    level="c5",
    frozen_norm=None,
    freeze=0,
    crop_size=112,
    proposals=500,
    search="fast",
    search_side=300,
    roi_samples=32,
    roi_positive_fraction=0.25,
    regions_at_once=64,
    dtype=None,
    **decoder,
) -> RCNN:
    """Build R-CNN: selective search, warped pixels, a machine a class.

    Deviation: a backbone of zoo's and crops of 112 pixels, where the paper has AlexNet at 227; 500
    proposals of the picture as the network sees it, where it has 2,000 of the stored one.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels, or (height, width); crops are cut from
            it.
        resize: how pictures are fitted, "resize" or "letterbox".
        backbone: one of `zoo.backbones.list_backbones()`, or a layer giving feature maps.
        backbone_weights: None for fresh ones, or "imagenet" where a package carries them.
        level: of the backbone, whose mean describes a region.
        frozen_norm: whether batch norms keep their statistics; None: if the backbone has weights.
        freeze: how many of the backbone's stages do not train.
        crop_size: side of the warped regions in pixels.
        proposals, search, search_side: `count`, `mode` and `side` of `SelectiveSearch`.
        roi_samples, roi_positive_fraction: regions a picture that are learnt from, and the largest
            share of positives among them: with 4 pictures a batch the paper's 32 of 128.
        regions_at_once: crops that are held at a time, at inference.
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
    # One sample a pixel: the paper's code warps without smoothing, too.
    roi_crop = RoICrop(crop_size, sampling_ratio=1, dtype=dtype, name="roi_crop")
    return RCNN(
        proposer=SelectiveSearch(proposals, mode=search, side=search_side),
        backbone=backbone,
        region_sampler=RegionSampler(matcher, coder, roi_samples, roi_positive_fraction),
        roi_crop=roi_crop,
        decoder=RoIDecoder(coder, **{"iou_threshold": 0.3} | decoder),
        regions_at_once=regions_at_once,
        image_converter=ImageConverter(height_width(image_size), mode=resize),
        normalize=Normalize(**backbone.normalization, dtype=dtype, name="normalize"),
        class_names=class_names,
        dtype=dtype,
        name="rcnn",
    )
