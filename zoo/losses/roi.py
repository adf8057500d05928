"""The loss of the second stage of the R-CNN family.

Letters: B images, N regions sampled, C classes.
"""

import keras
from keras import ops

from zoo.losses.sampled import SmoothL1, sample_weights


@keras.saving.register_keras_serializable(package="zoo")
class RoILoss:
    """Cross-entropy over a sample of regions, smooth L1 on its positives (Girshick 2015, eq. 1).

    Only the box of the region's own class is compared. Both sums of a picture are divided by its
    sample's size, then averaged over the batch.

    Args:
        beta: where smooth L1 turns from the square into the absolute value, torchvision's.
        box_weight: factor on the box loss, the paper's lambda.
    """

    def __init__(self, beta=1 / 9, box_weight=1.0):
        self.beta = beta
        self.box_weight = box_weight
        self._class_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._box_loss = SmoothL1(beta)

    def __call__(self, targets, outputs):
        """Return a dict of the scalars `class_loss` and `box_loss`.

        Args:
            targets: what `zoo.layers.RegionSampler` returns.
            outputs: `class_logits` (B, N, C + 1), background first, and `box_deltas` (B, N, C, 4).
        """
        sampled, classes = targets["sampled"], targets["classes"]
        weights = sample_weights(sampled, sampled)
        box_weights = sample_weights(targets["positives"], sampled) * self.box_weight
        deltas = of_class(outputs["box_deltas"], ops.maximum(classes - 1, 0))
        return {
            "class_loss": self._class_loss(classes, outputs["class_logits"], weights),
            "box_loss": self._box_loss(targets["deltas"], deltas, box_weights),
        }

    def get_config(self):
        return {"beta": self.beta, "box_weight": self.box_weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def of_class(values, labels):
    """Pick, for each region, the row of its label: (B, N, C, D) and (B, N) to (B, N, D)."""
    return ops.take_along_axis(values, labels[..., None, None], axis=2)[:, :, 0]
