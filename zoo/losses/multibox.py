"""SSD's loss: positives against the hardest negatives, divided by the positives.

Letters: B images, A anchors, C classes.
"""

import keras
from keras import ops

from zoo.ops import hard_negative_mask


@keras.saving.register_keras_serializable(package="zoo")
class MultiBoxLoss:
    """Cross-entropy on positives and mined negatives, L1 on positives (Liu 2016, SSD, eq. 1-3).

    Deviation: the sums of each picture are divided by that picture's positives, then averaged over
    the batch; the paper divides the batch's sum by the batch's positives. A mean over pictures is
    the same number however the batch is spread over replicas.
    Deviation: L1 as in the book's 13.7, where the paper has smooth L1, unless `smooth` is set.

    Args:
        negative_ratio: negatives kept for each positive of the picture.
        minimum_negatives: negatives kept at least, so that pictures without objects teach too.
        box_weight: factor on the box loss, the paper's alpha.
        smooth: whether the box loss is smooth L1 (Girshick 2015, Fast R-CNN, eq. 3).
    """

    def __init__(self, negative_ratio=3.0, minimum_negatives=0, box_weight=1.0, smooth=False):
        self.negative_ratio = negative_ratio
        self.minimum_negatives = minimum_negatives
        self.box_weight = box_weight
        self.smooth = smooth
        self._class_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._box_loss = keras.losses.Huber() if smooth else keras.losses.MeanAbsoluteError()

    def __call__(self, targets, outputs):
        """Return a dict of the scalars `class_loss` and `box_loss`, whose sum is the loss.

        Args:
            targets: what `zoo.layers.LabelEncoder` returns.
            outputs: `class_logits` (B, A, C + 1), background first, and `box_deltas` (B, A, 4).
        """
        positives = targets["positives"]
        logits = outputs["class_logits"]
        background_loss = -ops.log_softmax(ops.stop_gradient(logits), axis=-1)[..., 0]
        mined = hard_negative_mask(
            background_loss,
            positives,
            targets["negatives"],
            ratio=self.negative_ratio,
            minimum=self.minimum_negatives,
        )
        # The Keras means divide by B * A (and by the 4 offsets); these scales turn each picture's
        # part into a sum over its anchors divided by its positives.
        scale = _anchors_over_positives(positives)
        class_weights = ops.cast(ops.logical_or(positives, mined), "float32") * scale
        box_weights = ops.cast(positives, "float32") * scale * (4.0 * self.box_weight)
        return {
            "class_loss": self._class_loss(targets["classes"], logits, class_weights),
            "box_loss": self._box_loss(targets["deltas"], outputs["box_deltas"], box_weights),
        }

    def get_config(self):
        return {
            "negative_ratio": self.negative_ratio,
            "minimum_negatives": self.minimum_negatives,
            "box_weight": self.box_weight,
            "smooth": self.smooth,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _anchors_over_positives(positives):
    count = ops.sum(ops.cast(positives, "float32"), axis=1, keepdims=True)
    return positives.shape[1] / ops.maximum(count, 1.0)
