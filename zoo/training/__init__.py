"""Training by plain `fit`: optimizers, the resumable loop, checkpoints and callbacks."""

from zoo.training.callbacks import EvaluateAnswers, ReportProgress
from zoo.training.checkpoint import Checkpointer, restore_checkpoint, save_checkpoint
from zoo.training.depth import UnfreezeStages, depth_multipliers, stage_keys
from zoo.training.early_stopping import EarlyStopping
from zoo.training.fit import fit
from zoo.training.optimizers import build_optimizer
from zoo.training.region_svms import FitRegionSVMs
from zoo.training.synthesis import ResumableSynthesis

__all__ = [
    "Checkpointer",
    "EarlyStopping",
    "EvaluateAnswers",
    "FitRegionSVMs",
    "ReportProgress",
    "ResumableSynthesis",
    "UnfreezeStages",
    "build_optimizer",
    "depth_multipliers",
    "fit",
    "restore_checkpoint",
    "save_checkpoint",
    "stage_keys",
]
