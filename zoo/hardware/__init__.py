"""What a machine can do, what a training step asks of it, and how the two compare.

Reference: Zhang et al., Dive into Deep Learning, section 12.4.
"""

from zoo.hardware.counting import LayerWork, StepWork, count_step
from zoo.hardware.roofline import Roofline, feeding, least_seconds, median
from zoo.hardware.watching import StepRecord, StepTimes

__all__ = [
    "LayerWork",
    "Roofline",
    "StepRecord",
    "StepTimes",
    "StepWork",
    "count_step",
    "feeding",
    "least_seconds",
    "median",
]
