"""The loss of the mask branch.

Letters: B images, P regions, (h, w) pixels of a mask.
"""

import keras
from keras import ops

from zoo.losses.sampled import sample_weights


@keras.saving.register_keras_serializable(package="zoo")
class MaskLoss:
    """Binary cross-entropy of the true class' mask on positive regions (He 2017, section 3).

    The mean over a picture's positives, then over the batch; classes do not compete.

    Args:
        weight: factor on the loss.
    """

    def __init__(self, weight=1.0):
        self.weight = weight
        self._loss = keras.losses.BinaryCrossentropy(from_logits=True)

    def __call__(self, targets, logits, positives):
        """Return a dict of the scalar `mask_loss`.

        Args:
            targets: (B, P, h, w) in 0..1.
            logits: (B, P, h, w), of the mask of the region's class.
            positives: (B, P) bool.
        """
        regions, height, width = logits.shape[1:]
        targets, logits = (
            ops.reshape(ops.cast(values, "float32"), (-1, regions, height * width))
            for values in (targets, logits)
        )
        weights = sample_weights(positives, positives) * self.weight
        return {"mask_loss": self._loss(targets, logits, weights)}

    def get_config(self):
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
