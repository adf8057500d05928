"""Serialisable objects that hold hyperparameters and call `zoo.ops`."""

from zoo.layers.anchor_generator import AnchorGenerator
from zoo.layers.batch_norm import BatchNorm
from zoo.layers.box_coder import BoxCoder
from zoo.layers.box_head import BoxHead
from zoo.layers.cell_coder import CellCoder
from zoo.layers.cell_decoder import CellDecoder
from zoo.layers.class_head import ClassHead
from zoo.layers.crop_converter import CropConverter
from zoo.layers.decoder import Decoder
from zoo.layers.fcn_head import FCNHead
from zoo.layers.frozen_batch_norm import FrozenBatchNorm
from zoo.layers.heads import SSDHead
from zoo.layers.image_converter import Frame, ImageConverter
from zoo.layers.l2_norm import L2Norm
from zoo.layers.label_encoder import LabelEncoder
from zoo.layers.mask_head import MaskHead
from zoo.layers.matcher import Matcher
from zoo.layers.normalize import Normalize
from zoo.layers.padding_converter import PaddingConverter
from zoo.layers.proposal_decoder import ProposalDecoder
from zoo.layers.region_anchors import RegionAnchors
from zoo.layers.region_sampler import RegionSampler
from zoo.layers.roi_crop import RoICrop
from zoo.layers.roi_decoder import RoIDecoder, class_probabilities
from zoo.layers.rpn_head import RPNHead
from zoo.layers.selective_search import SelectiveSearch
from zoo.layers.skip_head import SkipHead
from zoo.layers.transposed_conv import BilinearInitializer, TransposedConv
from zoo.layers.yolo_head import YOLOHead

__all__ = [
    "AnchorGenerator",
    "BatchNorm",
    "BilinearInitializer",
    "BoxCoder",
    "BoxHead",
    "CellCoder",
    "CellDecoder",
    "ClassHead",
    "CropConverter",
    "Decoder",
    "FCNHead",
    "Frame",
    "FrozenBatchNorm",
    "ImageConverter",
    "L2Norm",
    "LabelEncoder",
    "MaskHead",
    "Matcher",
    "Normalize",
    "PaddingConverter",
    "ProposalDecoder",
    "RPNHead",
    "RegionAnchors",
    "RegionSampler",
    "RoICrop",
    "RoIDecoder",
    "SSDHead",
    "SelectiveSearch",
    "SkipHead",
    "TransposedConv",
    "YOLOHead",
    "class_probabilities",
]
