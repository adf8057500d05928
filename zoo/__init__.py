"""Computer-vision models on Keras 3 that mean the same on TensorFlow, JAX and PyTorch.

Importing `zoo` registers every layer and model, so `keras.saving.load_model` opens published files.
"""

from zoo import backbones, d2l, layers, losses, metrics, ops
from zoo.models import Task, create, list_presets, load
from zoo.results import Classification, Detections, Segmentation

__all__ = [
    "Classification",
    "Detections",
    "Segmentation",
    "Task",
    "backbones",
    "create",
    "d2l",
    "layers",
    "list_presets",
    "load",
    "losses",
    "metrics",
    "ops",
]
