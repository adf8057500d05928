"""Models: pictures in, results out, each a choice of pieces."""

from zoo.models.classifier import Classifier
from zoo.models.detector import Detector
from zoo.models.fast_rcnn import FastRCNN
from zoo.models.fast_style import FastStyle
from zoo.models.faster_rcnn import FasterRCNN
from zoo.models.fcn import FCN
from zoo.models.mask_rcnn import MaskRCNN
from zoo.models.presets import create, list_presets
from zoo.models.rcnn import RCNN
from zoo.models.row_reuse import ReusedRows, match_classes, reuse_rows
from zoo.models.segmenter import Segmenter
from zoo.models.ssd import SSD
from zoo.models.style_lesson import StyleLesson
from zoo.models.style_transfer import StyleTransfer
from zoo.models.synthesized_picture import SynthesizedPicture
from zoo.models.task import Task, load
from zoo.models.weight_reuse import take_weights
from zoo.models.yolo import YOLO

__all__ = [
    "FCN",
    "RCNN",
    "SSD",
    "YOLO",
    "Classifier",
    "Detector",
    "FastRCNN",
    "FastStyle",
    "FasterRCNN",
    "MaskRCNN",
    "ReusedRows",
    "Segmenter",
    "StyleLesson",
    "StyleTransfer",
    "SynthesizedPicture",
    "Task",
    "create",
    "list_presets",
    "load",
    "match_classes",
    "reuse_rows",
    "take_weights",
]
