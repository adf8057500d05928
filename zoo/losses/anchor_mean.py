"""The book's loss: the mean over all anchors, background included.

Letters: B images, A anchors, C classes.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class AnchorMeanLoss:
    """Cross-entropy plus masked L1, each a mean over all anchors (book 13.7.2, `calc_loss`).

    With a handful of positives among thousands of anchors the mean is nearly all background, so a
    model trained on it seldom detects; `MultiBoxLoss` is the one that does.
    """

    def __init__(self):
        self._class_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._box_loss = keras.losses.MeanAbsoluteError()

    def __call__(self, targets, outputs):
        """Return a dict of the scalars `class_loss` and `box_loss`, whose sum is the loss.

        Args:
            targets: what `zoo.layers.LabelEncoder` returns.
            outputs: `class_logits` (B, A, C + 1), background first, and `box_deltas` (B, A, 4).
        """
        weights = ops.cast(targets["positives"], "float32")
        return {
            "class_loss": self._class_loss(targets["classes"], outputs["class_logits"]),
            "box_loss": self._box_loss(targets["deltas"], outputs["box_deltas"], weights),
        }

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
