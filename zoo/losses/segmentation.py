"""The loss of a class a pixel.

Letters: B images, (H, W) pixels, C classes.
"""

import keras
from keras import ops

from zoo.colormaps import VOID


@keras.saving.register_keras_serializable(package="zoo")
class SegmentationLoss:
    """Cross-entropy of the pixels that have a class (Long 2015; book 13.11.4).

    The mean over a picture's pixels that have a class, then over the batch; a picture without any
    adds 0. Without pixels to ignore it is the book's loss. What is ignored, such as padding, never
    changes it.

    Args:
        class_weights: C floats, factors on the pixels of each class; None: 1. They are not divided
            by their sum, so a weight of 2 is the same as twice the pixels.
        ignore: the label of pixels that have no class.
    """

    def __init__(self, class_weights=None, ignore=VOID):
        self.class_weights = None if class_weights is None else tuple(map(float, class_weights))
        self.ignore = ignore
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def __call__(self, targets, logits):
        """Return the scalar loss.

        Args:
            targets: (B, H, W) int, 0..C-1 or `ignore`.
            logits: (B, H, W, C) float.
        """
        if self.class_weights is not None and len(self.class_weights) != logits.shape[-1]:
            raise ValueError(
                f"class_weights must be one a class, {logits.shape[-1]} here; "
                f"got {len(self.class_weights)}. Is the background missing?"
            )
        labelled = self.labelled(targets)
        weights = ops.cast(labelled, "float32")
        count = ops.sum(weights, axis=(1, 2), keepdims=True)
        # The Keras mean divides by B * H * W: this makes it a mean over the labelled pixels.
        pixels = ops.cast(ops.shape(targets)[1] * ops.shape(targets)[2], "float32")
        weights = weights * (pixels / ops.maximum(count, 1.0))
        classes = ops.where(labelled, targets, 0)
        if self.class_weights is not None:
            table = ops.convert_to_tensor(self.class_weights, dtype="float32")
            weights = weights * ops.take(table, classes)
        return self._loss(classes, logits, weights)

    def labelled(self, targets):
        """Return (B, H, W) bool, the pixels that have a class."""
        return ops.not_equal(targets, self.ignore)

    def get_config(self):
        weights = None if self.class_weights is None else list(self.class_weights)
        return {"class_weights": weights, "ignore": self.ignore}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
