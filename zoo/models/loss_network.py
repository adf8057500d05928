"""The network that judges style: VGG as `zoo.backbones.StyleVGG` reads it, with weights by name."""

from zoo.backbones import StyleVGG
from zoo.weights import convert_into, imagenet_weights, keras_vgg_weights, load_state_dict

DEPTHS = {"vgg16": 16, "vgg19": 19}


def build_loss_network(backbone, weights, *, content, style, dtype=None) -> StyleVGG:
    """Return a built `StyleVGG`.

    Args:
        backbone: "vgg16" or "vgg19".
        weights: None for fresh ones; "imagenet", which a package carries for vgg16;
            "keras_applications", whose ImageNet weights Keras downloads; or a file of torchvision's
            classifier.
        content, style: names of layers, as `StyleVGG` takes them.
        dtype: the dtype policy; None: Keras' global one.
    Raises: ValueError for another backbone, or weights that cannot be had.
    """
    if backbone not in DEPTHS:
        raise ValueError(f"backbone must be one of {sorted(DEPTHS)}; got {backbone!r}.")
    network = StyleVGG(DEPTHS[backbone], content=content, style=style, dtype=dtype, name=backbone)
    network.build((None, None, None, 3))
    if weights == "imagenet":
        convert_into(network, *imagenet_weights(backbone))
    elif weights == "keras_applications":
        convert_into(network, *keras_vgg_weights(backbone, **network.normalization))
    elif weights is not None:
        convert_into(network, load_state_dict(weights), f"torchvision:{backbone}")
    return network
