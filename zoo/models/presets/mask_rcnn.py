"""Mask R-CNN (He 2017) on a feature pyramid."""

from zoo.losses import MaskLoss
from zoo.models.mask_rcnn import MaskRCNN
from zoo.models.presets.faster_rcnn import region_crop, two_stage_pieces


def mask_rcnn(
    class_names,
    *,
    mask_channels=256,
    mask_depth=4,
    canonical_size=224,
    aligned=False,
    dtype=None,
    **options,
) -> MaskRCNN:
    """Build Mask R-CNN; as it stands, torchvision's `maskrcnn_resnet50_fpn`.

    Args:
        class_names: the names of labels 0..C-1.
        mask_channels, mask_depth: the mask branch's convolutions.
        canonical_size, aligned, dtype, **options: of `faster_rcnn`.
    """
    pieces = two_stage_pieces(
        class_names, canonical_size=canonical_size, aligned=aligned, dtype=dtype, **options
    )
    return MaskRCNN(
        mask_crop=region_crop(14, canonical_size, aligned=aligned, dtype=dtype, name="mask_crop"),
        mask_loss=MaskLoss(),
        mask_channels=mask_channels,
        mask_depth=mask_depth,
        **pieces,
        name="mask_rcnn",
    )
