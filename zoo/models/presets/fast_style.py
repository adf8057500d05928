"""A style learnt by a feed-forward network (Johnson 2016)."""

from zoo.backbones.backbone import IMAGENET_NORMALIZATION
from zoo.layers import CropConverter, ImageConverter, Normalize
from zoo.losses import StyleLoss
from zoo.models.fast_style import FastStyle
from zoo.models.presets.sizes import height_width
from zoo.models.style_lesson import StyleLesson
from zoo.models.style_network import StyleNetwork
from zoo.pictures import read_picture

# Johnson 2016, section 4.1.
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
CONTENT_LAYERS = ("relu2_2",)


def fast_style(
    class_names=(),
    *,
    style=None,
    image_size=256,
    style_size=256,
    backbone="vgg16",
    backbone_weights=None,
    content_layers=CONTENT_LAYERS,
    style_layers=STYLE_LAYERS,
    filters=32,
    residual_blocks=5,
    content_weight=1.0,
    style_weight=1e5,
    variation_weight=1.0,
    dtype=None,
) -> FastStyle:
    """Build a network that learns one style.

    Args:
        class_names: not used: pictures have no classes here.
        style: the picture whose style is learnt, as `read_picture` takes it; None: a network that
            cannot train.
        image_size: side of the pictures it trains on and is scored on, or (height, width); it
            paints any size.
        style_size: the same of the style: larger ones make larger strokes.
        backbone, backbone_weights: of the loss network, as in `style_transfer`.
        content_layers, style_layers: of the loss network, as `zoo.backbones.StyleVGG` takes them.
        filters, residual_blocks: of `StyleNetwork`.
        content_weight, style_weight, variation_weight: of `StyleLoss`. The less it is trained, the
            less style it can bear before it loses the content.
        dtype: the dtype policy; None: Keras' global one.
    """
    lesson = None
    if style is not None:
        fitted, _ = ImageConverter(height_width(style_size)).convert(read_picture(style))
        lesson = StyleLesson(
            fitted,
            backbone=backbone,
            backbone_weights=backbone_weights,
            content_layers=content_layers,
            style_layers=style_layers,
            loss=StyleLoss(content_weight, style_weight, variation_weight),
        )
    return FastStyle(
        network=StyleNetwork(filters, residual_blocks, dtype=dtype, name="network"),
        lesson=lesson,
        image_converter=CropConverter(height_width(image_size), crop_fraction=1.0),
        # What the loss network expects is as good as anything for this one.
        normalize=Normalize(**IMAGENET_NORMALIZATION, dtype=dtype, name="normalize"),
        class_names=(),
        dtype=dtype,
        name="fast_style",
    )
