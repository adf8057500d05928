"""The loss of a region proposal network.

Letters: B images, A anchors.
"""

import keras
from keras import ops

from zoo.losses.sampled import SmoothL1, sample_weights


@keras.saving.register_keras_serializable(package="zoo")
class RPNLoss:
    """Objectness over a sample of anchors, smooth L1 on its positives (Ren 2015, equation 1).

    Deviation: both sums of a picture are divided by its sample's size, as torchvision does, then
    averaged over the batch; the paper divides the second by the number of cells and weighs it by
    10, which comes to about the same.

    Args:
        beta: where smooth L1 turns from the square into the absolute value.
        box_weight: factor on the box loss.
    """

    def __init__(self, beta=1 / 9, box_weight=1.0):
        self.beta = beta
        self.box_weight = box_weight
        self._objectness_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self._box_loss = SmoothL1(beta)

    def __call__(self, targets, sampled, outputs):
        """Return a dict of the scalars `rpn_class_loss` and `rpn_box_loss`.

        Args:
            targets: what `zoo.layers.LabelEncoder` returns.
            sampled: (B, A) bool, the anchors that count.
            outputs: `objectness` (B, A) logits and `deltas` (B, A, 4).
        """
        positives = targets["positives"]
        objects = ops.cast(positives, "float32")[..., None]
        logits = outputs["objectness"][..., None]
        weights = sample_weights(sampled, sampled)
        box_weights = sample_weights(ops.logical_and(positives, sampled), sampled) * self.box_weight
        return {
            "rpn_class_loss": self._objectness_loss(objects, logits, weights),
            "rpn_box_loss": self._box_loss(targets["deltas"], outputs["deltas"], box_weights),
        }

    def get_config(self):
        return {"beta": self.beta, "box_weight": self.box_weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
