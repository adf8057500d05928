"""Serialisable objects that hold hyperparameters and call `zoo.ops`."""

from zoo.layers.anchor_generator import AnchorGenerator
from zoo.layers.batch_norm import BatchNorm
from zoo.layers.box_coder import BoxCoder
from zoo.layers.decoder import Decoder
from zoo.layers.frozen_batch_norm import FrozenBatchNorm
from zoo.layers.heads import SSDHead
from zoo.layers.image_converter import Frame, ImageConverter
from zoo.layers.l2_norm import L2Norm
from zoo.layers.label_encoder import LabelEncoder
from zoo.layers.matcher import Matcher
from zoo.layers.normalize import Normalize
from zoo.layers.roi_crop import RoICrop

__all__ = [
    "AnchorGenerator",
    "BatchNorm",
    "BoxCoder",
    "Decoder",
    "Frame",
    "FrozenBatchNorm",
    "ImageConverter",
    "L2Norm",
    "LabelEncoder",
    "Matcher",
    "Normalize",
    "RoICrop",
    "SSDHead",
]
