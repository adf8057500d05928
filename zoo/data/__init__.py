"""Data sets and the tf.data pipeline that feeds them to a model on every backend."""

from zoo.data.check import check_source, count_records
from zoo.data.classification_pipeline import build_classification_pipeline
from zoo.data.epochs import steps_per_epoch
from zoo.data.folds import take_fold
from zoo.data.picture_pipeline import build_picture_pipeline
from zoo.data.pipeline import build_pipeline
from zoo.data.proposals import find_proposals
from zoo.data.segmentation_pipeline import build_segmentation_pipeline
from zoo.data.source import Source
from zoo.data.sources import list_sources, load_source, parse_spec
from zoo.data.write_coco import write_coco

__all__ = [
    "Source",
    "build_classification_pipeline",
    "build_picture_pipeline",
    "build_pipeline",
    "build_segmentation_pipeline",
    "check_source",
    "count_records",
    "find_proposals",
    "list_sources",
    "load_source",
    "parse_spec",
    "steps_per_epoch",
    "take_fold",
    "write_coco",
]
