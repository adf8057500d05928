"""Faster R-CNN (Ren 2015) on a feature pyramid (Lin 2017), or on one level of a backbone."""

from zoo.backbones import create_backbone
from zoo.layers import (
    BoxCoder,
    ImageConverter,
    LabelEncoder,
    Matcher,
    Normalize,
    ProposalDecoder,
    RegionAnchors,
    RegionSampler,
    RoICrop,
    RoIDecoder,
)
from zoo.losses import RoILoss, RPNLoss
from zoo.models.faster_rcnn import FasterRCNN
from zoo.models.presets.sizes import height_width

# Levels beyond this stride serve the first stage only (Lin 2017, section 4.2).
COARSEST_ROI_STRIDE = 32


def faster_rcnn(class_names, **options) -> FasterRCNN:
    """Build Faster R-CNN; as it stands, torchvision's `fasterrcnn_resnet50_fpn`.

    Args:
        class_names: the names of labels 0..C-1.
        **options: of `two_stage_pieces`.
    """
    return FasterRCNN(**two_stage_pieces(class_names, **options), name="faster_rcnn")


def two_stage_pieces(
    class_names,
    *,
    image_size=800,
    resize="letterbox",
    backbone="resnet50",
    backbone_weights=None,
    levels=None,
    fpn=256,
    frozen_norm=None,
    freeze=0,
    anchor_sizes=None,
    ratios=(2.0, 1.0, 0.5),
    pre_nms=1000,
    proposals=1000,
    train_pre_nms=2000,
    train_proposals=2000,
    rpn_samples=256,
    rpn_channels=None,
    roi_samples=512,
    roi_positive_fraction=0.25,
    head_units=1024,
    canonical_size=224,
    aligned=False,
    dtype=None,
    **decoder,
) -> dict:
    """Return the pieces of `FasterRCNN`.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels, or (height, width).
        resize: how pictures are fitted, "resize" or "letterbox".
        backbone: one of `zoo.backbones.list_backbones()`, or a layer giving feature maps.
        backbone_weights: None for fresh ones; "imagenet" where a package carries them; or a file of
            torchvision's classifier.
        levels: the backbone's; None: its own choice.
        fpn: channels of the pyramid, or a dict of `FPN`'s arguments; None: none, on one level.
        frozen_norm: whether batch norms keep their statistics; None: if the backbone has weights.
        freeze: how many of the backbone's stages do not train.
        anchor_sizes: a list a level, pixels; None: 8 cells of each level or, on one level alone,
            128, 256 and 512.
        ratios: of the anchors, width / height.
        pre_nms, proposals, train_pre_nms, train_proposals: of `ProposalDecoder`.
        rpn_samples: anchors a picture that the first stage learns from.
        rpn_channels: of the first stage's convolution; None: those of the features.
        roi_samples, roi_positive_fraction: regions a picture that the second stage learns from,
            and the largest share of positives among them.
        head_units: of the second stage's hidden layers.
        canonical_size: side in pixels of the regions that are read from the level of stride 16.
        aligned: of RoIAlign; torchvision's checkpoints were trained without.
        dtype: the dtype policy; None: Keras' global one.
        **decoder: of `RoIDecoder`, such as `score_threshold`.
    """
    size = height_width(image_size)
    if isinstance(backbone, str):
        frozen = backbone_weights is not None if frozen_norm is None else frozen_norm
        backbone = create_backbone(
            backbone,
            levels=levels,
            weights=backbone_weights,
            frozen_norm=frozen,
            freeze=freeze,
            fpn=fpn,
            dtype=dtype,
        )
    strides = backbone.strides
    coder = BoxCoder()
    rpn_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    return {
        "backbone": backbone,
        "anchors": RegionAnchors(anchor_sizes or _anchor_sizes(strides), ratios),
        "rpn_encoder": LabelEncoder(
            Matcher(0.7, 0.3, bipartite=False, low_quality=True), rpn_coder
        ),
        "proposal_decoder": ProposalDecoder(
            rpn_coder,
            pre_nms=pre_nms,
            proposals=proposals,
            train_pre_nms=train_pre_nms,
            train_proposals=train_proposals,
        ),
        "region_sampler": RegionSampler(
            Matcher(0.5, bipartite=False), coder, roi_samples, roi_positive_fraction
        ),
        "roi_crop": region_crop(7, canonical_size, aligned=aligned, dtype=dtype, name="roi_crop"),
        "rpn_loss": RPNLoss(),
        "roi_loss": RoILoss(),
        "decoder": RoIDecoder(coder, **decoder),
        "rpn_samples": rpn_samples,
        "rpn_channels": rpn_channels,
        "head_units": head_units,
        "roi_levels": sum(stride <= COARSEST_ROI_STRIDE for stride in strides),
        "image_converter": ImageConverter(size, mode=resize),
        "normalize": Normalize(**backbone.normalization, dtype=dtype, name="normalize"),
        "class_names": class_names,
        "dtype": dtype,
    }


def region_crop(output_size, canonical_size, *, aligned, dtype, name):
    """Return the RoIAlign of a stage: two samples a bin and axis, as torchvision's."""
    return RoICrop(
        output_size,
        sampling_ratio=2,
        aligned=aligned,
        canonical_size=canonical_size,
        dtype=dtype,
        name=name,
    )


def _anchor_sizes(strides):
    """Lin 2017, section 4.1: one size a level; Ren 2015, section 3.3: three on the only one."""
    if len(strides) == 1:
        return [[128.0, 256.0, 512.0]]
    return [[8.0 * stride] for stride in strides]
