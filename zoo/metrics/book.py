"""The two figures section 13.7 of the book prints while TinySSD trains.

Shape letters: B images, A anchors, C classes.
Both are means over **all** anchors, nearly all of them background, so a detector that finds nothing
scores well on both: report AP beside them.
Reference: Zhang et al., Dive into Deep Learning, 13.7.2, `cls_eval` and `bbox_eval`.
"""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class ClassError(keras.metrics.Mean):
    """Share of the anchors whose most probable class is not the target's."""

    def __init__(self, name: str = "class_error", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, class_targets, class_logits):
        """Add a batch.

        Args:
            class_targets: (B, A) int, 0 is background.
            class_logits: (B, A, C + 1) float.
        """
        classes = ops.argmax(class_logits, axis=-1)
        wrong = ops.not_equal(classes, ops.cast(class_targets, classes.dtype))
        return super().update_state(ops.mean(ops.cast(wrong, "float32"), axis=-1))


@keras.saving.register_keras_serializable(package="zoo")
class BoxMAE(keras.metrics.Mean):
    """Absolute error of the deltas of matched anchors, divided by **all** B * A * 4 entries."""

    def __init__(self, name: str = "box_mae", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, box_targets, box_deltas, mask):
        """Add a batch.

        Args:
            box_targets, box_deltas: (B, A, 4) float, coded offsets.
            mask: (B, A) bool or float, 1 where the anchor has an object.
        """
        targets, deltas = (ops.cast(boxes, "float32") for boxes in (box_targets, box_deltas))
        mask = ops.expand_dims(ops.cast(mask, "float32"), axis=-1)
        error = ops.abs((targets - ops.stop_gradient(deltas)) * mask)
        return super().update_state(ops.mean(error, axis=(-2, -1)))
