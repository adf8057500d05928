"""Losses on per-anchor targets; each reduces through `keras.losses` objects only.

A hand-written mean is doubled under two TensorFlow replicas; a `keras.losses` object is not.
"""

from zoo.losses.anchor_mean import AnchorMeanLoss
from zoo.losses.multibox import MultiBoxLoss

__all__ = ["AnchorMeanLoss", "MultiBoxLoss"]
