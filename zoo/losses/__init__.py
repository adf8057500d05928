"""Losses on anchors, regions, pixels and styles; all reduce through `keras.losses` objects.

A hand-written mean is doubled under two TensorFlow replicas; a `keras.losses` object is not.
"""

from zoo.losses.anchor_mean import AnchorMeanLoss
from zoo.losses.mask import MaskLoss
from zoo.losses.multibox import MultiBoxLoss
from zoo.losses.perceptual import PerceptualLoss
from zoo.losses.roi import RoILoss
from zoo.losses.rpn import RPNLoss
from zoo.losses.segmentation import SegmentationLoss
from zoo.losses.style import StyleLoss
from zoo.losses.yolo import YOLOLoss

__all__ = [
    "AnchorMeanLoss",
    "MaskLoss",
    "MultiBoxLoss",
    "PerceptualLoss",
    "RPNLoss",
    "RoILoss",
    "SegmentationLoss",
    "StyleLoss",
    "YOLOLoss",
]
