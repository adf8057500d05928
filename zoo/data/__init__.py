"""Data sets and the tf.data pipeline that feeds them to a model on every backend."""

from zoo.data.pipeline import build_pipeline, steps_per_epoch
from zoo.data.source import Source
from zoo.data.sources import list_sources, load_source, parse_spec

__all__ = [
    "Source",
    "build_pipeline",
    "list_sources",
    "load_source",
    "parse_spec",
    "steps_per_epoch",
]
