"""Feature extractors: pictures in, a list of feature maps out, finest first."""

from zoo.backbones.backbone import Backbone
from zoo.backbones.efficientnet_lite import EfficientNetLite0
from zoo.backbones.extra_levels import ExtraLevels
from zoo.backbones.foreign import ForeignBackbone
from zoo.backbones.fpn import FPN
from zoo.backbones.mobilenet import MobileNetV2
from zoo.backbones.names import create_backbone, list_backbones
from zoo.backbones.resnet import ResNet
from zoo.backbones.ssd_vgg import SSDVGG
from zoo.backbones.style_vgg import StyleVGG
from zoo.backbones.tiny_cnn import TinyCNN
from zoo.backbones.vgg import VGG

__all__ = [
    "FPN",
    "SSDVGG",
    "VGG",
    "Backbone",
    "EfficientNetLite0",
    "ExtraLevels",
    "ForeignBackbone",
    "MobileNetV2",
    "ResNet",
    "StyleVGG",
    "TinyCNN",
    "create_backbone",
    "list_backbones",
]
