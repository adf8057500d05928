"""Convolutional predictors on feature levels.

Letters: B images, L levels, C classes, A anchors over all levels.
"""

import keras
from keras import layers, ops

from zoo.layers.initializers import torch_default_initializer
from zoo.layers.layout import from_native, native_data_format, native_shape, to_native


@keras.saving.register_keras_serializable(package="zoo")
class SSDHead(layers.Layer):
    """Predict classes and offsets of every anchor by 3x3 convolutions (book section 13.7.1).

    Args:
        num_classes: C, without the background.
        anchors_per_cell: anchors on one cell of each of the L levels.
    Returns: on call with L feature maps (B, H, W, channels), a dict of `class_logits`
        (B, A, C + 1), background first, and `box_deltas` (B, A, 4), both float32, anchors in the
        order of the levels, then row, column, anchor.
    """

    def __init__(self, num_classes, anchors_per_cell, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.anchors_per_cell = list(anchors_per_cell)
        self.class_predictors = [
            self._predictor(count * (num_classes + 1), f"class_predictor_{level}")
            for level, count in enumerate(self.anchors_per_cell)
        ]
        self.box_predictors = [
            self._predictor(count * 4, f"box_predictor_{level}")
            for level, count in enumerate(self.anchors_per_cell)
        ]

    def _predictor(self, filters, name):
        return layers.Conv2D(
            filters,
            3,
            padding="same",
            data_format=native_data_format(),
            kernel_initializer=torch_default_initializer(),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, feature_shapes):
        native = [native_shape(shape) for shape in feature_shapes]
        for predictors in (self.class_predictors, self.box_predictors):
            for predictor, shape in zip(predictors, native, strict=True):
                predictor.build(shape)
        self.built = True

    def call(self, features):
        features = [to_native(level) for level in features]
        return {
            "class_logits": _concatenate(self.class_predictors, features, self.num_classes + 1),
            "box_deltas": _concatenate(self.box_predictors, features, 4),
        }

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "anchors_per_cell": self.anchors_per_cell,
        }


def _concatenate(predictors, features, depth):
    """Join the maps of all levels into one row an anchor, (B, A, depth) float32."""
    levels = []
    for predictor, level in zip(predictors, features, strict=True):
        predictions = from_native(predictor(level))
        rows = predictions.shape[1] * predictions.shape[2] * predictions.shape[3] // depth
        levels.append(ops.reshape(predictions, (-1, rows, depth)))
    return ops.cast(ops.concatenate(levels, axis=1), "float32")
