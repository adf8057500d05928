"""Style transfer by optimisation (Gatys 2016; book 13.12).

Deviation: VGG-16, of which a package carries ImageNet weights, has no relu4_4; the last layer of
its stage takes the place.
"""

from zoo.layers import Normalize
from zoo.losses import StyleLoss
from zoo.models.loss_network import build_loss_network
from zoo.models.style_transfer import StyleTransfer

# Book 13.12.4: convolutions 0, 5, 10, 19, 28 and, for the content, 25 of torchvision's VGG-19. It
# takes them before their ReLU, but that ReLU works in place, save for the last: none follows.
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1")
CONTENT_LAYERS = {"vgg16": ("relu4_3",), "vgg19": ("relu4_4",)}


def style_transfer(
    class_names=(),
    *,
    image_size=None,
    backbone="vgg16",
    backbone_weights=None,
    content_layers=None,
    style_layers=STYLE_LAYERS,
    loss=None,
    dtype=None,
) -> StyleTransfer:
    """Build Gatys' style transfer with the book's layers and weights.

    Args:
        class_names, image_size: not used: pictures have no classes here, and keep their size.
        backbone: "vgg16" or "vgg19".
        backbone_weights: None for fresh ones; "imagenet", which a package carries for vgg16;
            "keras_applications", which downloads them; or a file of torchvision's classifier.
        content_layers: names as `StyleVGG` takes them; None: the book's.
        style_layers: the same of the style.
        loss: None: `StyleLoss` with the book's weights.
        dtype: the dtype policy; None: Keras' global one.
    """
    content_layers = CONTENT_LAYERS.get(backbone) if content_layers is None else content_layers
    network = build_loss_network(
        backbone, backbone_weights, content=content_layers, style=style_layers, dtype=dtype
    )
    return StyleTransfer(
        network=network,
        loss=loss if loss is not None else StyleLoss(),
        image_converter=None,
        normalize=Normalize(**network.normalization, dtype=dtype, name="normalize"),
        class_names=(),
        dtype=dtype,
        name="style_transfer",
    )
