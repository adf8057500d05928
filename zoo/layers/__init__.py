"""Serialisable objects that hold hyperparameters and call `zoo.ops`."""

from zoo.layers.anchor_generator import AnchorGenerator
from zoo.layers.batch_norm import BatchNorm
from zoo.layers.box_coder import BoxCoder
from zoo.layers.decoder import Decoder
from zoo.layers.frozen_batch_norm import FrozenBatchNorm
from zoo.layers.heads import SSDHead
from zoo.layers.image_converter import Frame, ImageConverter
from zoo.layers.label_encoder import LabelEncoder
from zoo.layers.matcher import Matcher
from zoo.layers.normalize import Normalize

__all__ = [
    "AnchorGenerator",
    "BatchNorm",
    "BoxCoder",
    "Decoder",
    "Frame",
    "FrozenBatchNorm",
    "ImageConverter",
    "LabelEncoder",
    "Matcher",
    "Normalize",
    "SSDHead",
]
