"""How good a model is: on a split (NumPy, pycocotools) and in training (the book's figures)."""

from zoo.metrics.book import BoxMAE, ClassError
from zoo.metrics.bootstrap import paired_bootstrap
from zoo.metrics.classification import (
    class_confusion,
    class_table,
    classification_metrics,
    paired_classification_bootstrap,
)
from zoo.metrics.coco import COCO_METRICS
from zoo.metrics.detection import (
    detection_metrics,
    match_kind,
    metrics_of_kinds,
    scored_kinds,
    trivial_detections,
)
from zoo.metrics.detection_matches import DetectionMatches, OperatingPoint
from zoo.metrics.mean_iou import MeanIoU
from zoo.metrics.precision_recall import Curve, class_curves
from zoo.metrics.segmentation import (
    confusion_matrix,
    metrics_of_confusion,
    segmentation_metrics,
)
from zoo.metrics.segmentation_bootstrap import (
    SEGMENTATION_METRICS,
    paired_segmentation_bootstrap,
)

__all__ = [
    "COCO_METRICS",
    "SEGMENTATION_METRICS",
    "BoxMAE",
    "ClassError",
    "Curve",
    "DetectionMatches",
    "MeanIoU",
    "OperatingPoint",
    "class_confusion",
    "class_curves",
    "class_table",
    "classification_metrics",
    "confusion_matrix",
    "detection_metrics",
    "match_kind",
    "metrics_of_confusion",
    "metrics_of_kinds",
    "paired_bootstrap",
    "paired_classification_bootstrap",
    "paired_segmentation_bootstrap",
    "scored_kinds",
    "segmentation_metrics",
    "trivial_detections",
]
