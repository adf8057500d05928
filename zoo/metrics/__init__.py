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
from zoo.metrics.detection import detection_metrics, metrics_of_kinds, trivial_detections

__all__ = [
    "COCO_METRICS",
    "BoxMAE",
    "ClassError",
    "class_confusion",
    "class_table",
    "classification_metrics",
    "detection_metrics",
    "metrics_of_kinds",
    "paired_bootstrap",
    "paired_classification_bootstrap",
    "trivial_detections",
]
