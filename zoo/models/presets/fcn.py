"""Fully convolutional networks: Long's with skips, the book's, and torchvision's."""

from functools import partial

from zoo.backbones import ResNet, create_backbone
from zoo.layers import FCNHead, Normalize, PaddingConverter, SkipHead
from zoo.losses import SegmentationLoss
from zoo.models.fcn import FCN
from zoo.models.presets.sizes import height_width

# Of the paper's fc6 and fc7, which have 4,096 channels and 120 million weights.
HIDDEN_CHANNELS = 512


def skip_fcn(
    class_names,
    *,
    strides=(8, 16, 32),
    image_size=(320, 480),
    backbone="vgg16",
    backbone_weights=None,
    freeze=0,
    frozen_norm=False,
    hidden_channels=None,
    dropout=0.5,
    class_weights=None,
    palette=None,
    loss=None,
    dtype=None,
    **converter,
) -> FCN:
    """Build FCN-32s, FCN-16s, FCN-8s (Long 2015) or the book's FCN (section 13.11).

    Deviation: fc6 and fc7 have 512 channels, where the paper has 4,096 with ImageNet weights that
    no package carries; with `hidden_channels=4096` they are the paper's.
    Deviation: pictures are padded to a multiple of 32 below and to the right, where the paper puts
    100 zeros on every side.

    Args:
        class_names: the names of classes 0..C-1, the background among them where there is one.
        strides: of the levels that are scored, finest first: (32,), (16, 32) or (8, 16, 32).
        image_size: (height, width) of the windows it is trained on; pictures may have any size.
        backbone: one of `zoo.backbones.list_backbones()`, or a layer giving the levels.
        backbone_weights: None for fresh ones, or "imagenet" where a package carries them.
        freeze: how many of the backbone's stages do not train.
        frozen_norm: whether its batch norms keep their statistics and affine for good.
        hidden_channels: of fc6 and fc7; 0: none; None: 512 behind VGG and none elsewhere.
        dropout: behind fc6 and fc7.
        class_weights: of `SegmentationLoss`, one a class; None: 1.
        palette: colours (red, green, blue) of the classes; None: Pascal VOC's.
        loss: None: `SegmentationLoss(class_weights)`.
        dtype: the dtype policy; None: Keras' global one.
        **converter: of `PaddingConverter`, such as `tile_side`.
    """
    vgg = isinstance(backbone, str) and backbone.startswith("vgg")
    if hidden_channels is None:
        hidden_channels = HIDDEN_CHANNELS if vgg else 0
    if isinstance(backbone, str):
        first = 6 - len(strides)  # a level cK or, of VGG, pK has stride 2**K
        backbone = create_backbone(
            backbone,
            levels=tuple(f"{'p' if vgg else 'c'}{level}" for level in range(first, 6)),
            weights=backbone_weights,
            frozen_norm=frozen_norm,
            freeze=freeze,
            dtype=dtype,
        )
    head = SkipHead(
        len(class_names), strides, hidden_channels, dropout=dropout, dtype=dtype, name="head"
    )
    return FCN(
        backbone=backbone,
        head=head,
        loss=loss if loss is not None else SegmentationLoss(class_weights),
        palette=palette,
        image_converter=PaddingConverter(height_width(image_size), **converter),
        normalize=Normalize(**backbone.normalization, dtype=dtype, name="normalize"),
        class_names=class_names,
        dtype=dtype,
        name=f"fcn{strides[0]}s",
    )


def fcn_resnet50(
    class_names,
    *,
    image_size=480,
    backbone=None,
    backbone_weights=None,
    freeze=0,
    frozen_norm=False,
    auxiliary=False,
    auxiliary_weight=0.5,
    class_weights=None,
    palette=None,
    loss=None,
    dtype=None,
    **converter,
) -> FCN:
    """Build torchvision's FCN: ResNet-50 of stride 8, widened instead of strided in its end.

    Args:
        class_names: the names of classes 0..C-1, the background among them where there is one.
        image_size: (height, width) of the windows it is trained on, or one side of both.
        backbone: a layer giving feature maps; None: ResNet-50 with `output_stride=8`.
        backbone_weights: of ResNet-50: None for fresh ones, or a file of torchvision's classifier.
        freeze: how many of the backbone's stages do not train.
        frozen_norm: whether its batch norms keep their statistics and affine for good.
        auxiliary: whether a second head on the level before the last helps the training.
        auxiliary_weight: factor on its loss.
        class_weights: of `SegmentationLoss`, one a class; None: 1.
        palette: colours (red, green, blue) of the classes; None: Pascal VOC's.
        loss: None: `SegmentationLoss(class_weights)`.
        dtype: the dtype policy; None: Keras' global one.
        **converter: of `PaddingConverter`, such as `tile_side`.
    """
    if backbone is None:
        backbone = _dilated(backbone_weights, freeze, frozen_norm, dtype)
    count = len(class_names)
    return FCN(
        backbone=backbone,
        head=FCNHead(count, dtype=dtype, name="head"),
        auxiliary_head=FCNHead(count, dtype=dtype, name="auxiliary_head") if auxiliary else None,
        auxiliary_weight=auxiliary_weight,
        loss=loss if loss is not None else SegmentationLoss(class_weights),
        palette=palette,
        image_converter=PaddingConverter(height_width(image_size), **converter),
        normalize=Normalize(**backbone.normalization, dtype=dtype, name="normalize"),
        class_names=class_names,
        dtype=dtype,
        name="fcn_resnet50",
    )


def _dilated(weights, freeze, frozen_norm, dtype):
    backbone = ResNet(
        50,
        levels=("c4", "c5"),
        output_stride=8,
        freeze=freeze,
        frozen_norm=frozen_norm,
        dtype=dtype,
        name="resnet50",
    )
    if weights is not None:  # strides and dilations have none, so they are those of the classifier
        backbone.build((None, None, None, 3))
        known = create_backbone("resnet50", levels=("c5",), weights=weights)
        backbone.set_weights(known.get_weights())
    return backbone


fcn32s = partial(skip_fcn, strides=(32,))
fcn16s = partial(skip_fcn, strides=(16, 32))
fcn8s = partial(skip_fcn, strides=(8, 16, 32))
# The book's: no hidden layers, one transposed convolution of kernel 64, strides 32 and padding 16.
fcn_resnet18 = partial(skip_fcn, strides=(32,), backbone="resnet18")
