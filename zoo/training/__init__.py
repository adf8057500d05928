"""Training by plain `fit`: optimizers, the resumable loop, checkpoints and callbacks."""

from zoo.training.callbacks import EvaluateDetections, ReportProgress
from zoo.training.checkpoint import Checkpointer, restore_checkpoint, save_checkpoint
from zoo.training.fit import fit
from zoo.training.optimizers import build_optimizer
from zoo.training.region_svms import FitRegionSVMs
from zoo.training.synthesis import ResumableSynthesis

__all__ = [
    "Checkpointer",
    "EvaluateDetections",
    "FitRegionSVMs",
    "ReportProgress",
    "ResumableSynthesis",
    "build_optimizer",
    "fit",
    "restore_checkpoint",
    "save_checkpoint",
]
