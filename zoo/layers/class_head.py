"""The last layers of a classifier: one feature map to one score a class.

Letters: B images, C classes.
"""

import keras
from keras import layers, ops

POOLINGS = ("mean", "flatten")


@keras.saving.register_keras_serializable(package="zoo")
class ClassHead(layers.Layer):
    """Pool a feature map, drop some of it in training, and score the classes.

    Args:
        num_classes: C.
        pooling: "mean" over the cells, or "flatten": every cell counts, as in VGG, and the input
            has one size for good.
        hidden_units: of dense layers with ReLU before the output, each followed by dropout.
        dropout: part of the features that a training step leaves out.
    Returns: on call with (B, h, w, channels), logits (B, C) float32.
    Raises: ValueError on an unknown pooling, or a dropout outside 0..1.
    """

    def __init__(self, num_classes, *, pooling="mean", hidden_units=(), dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}; got {pooling!r}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in 0..1, below 1; got {dropout}.")
        self.num_classes = num_classes
        self.pooling = pooling
        self.hidden_units = tuple(hidden_units)
        self.dropout = dropout
        self.hidden = [
            self._dense(units, f"hidden_{n}", activation="relu")
            for n, units in enumerate(self.hidden_units)
        ]
        self.output_layer = self._dense(num_classes, "output")
        # One mask a place: a dropout layer keeps a seed of its own.
        self.drops = [
            layers.Dropout(dropout, dtype=self.dtype_policy, name=f"dropout_{n}")
            for n in range(max(len(self.hidden_units), 1) if dropout else 0)
        ]

    def _dense(self, units, name, activation=None):
        initializer = "glorot_uniform" if activation is None else "he_uniform"
        return layers.Dense(
            units,
            activation=activation,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, features_shape):
        shape = (features_shape[0], self._row_length(features_shape))
        for layer in [*self.hidden, self.output_layer]:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, features, training=False):
        rows = self._pool(features)
        if not self.hidden:
            rows = self._drop(0, rows, training)
        for number, layer in enumerate(self.hidden):
            rows = self._drop(number, layer(rows), training)
        return ops.cast(self.output_layer(rows), "float32")

    def _pool(self, features):
        if self.pooling == "mean":
            return ops.mean(features, axis=(1, 2))
        return ops.reshape(features, (-1, self._row_length(features.shape)))

    def _row_length(self, features_shape):
        _, height, width, channels = features_shape
        return channels if self.pooling == "mean" else height * width * channels

    def _drop(self, number, rows, training):
        return self.drops[number](rows, training=training) if self.drops else rows

    def compute_output_shape(self, features_shape):
        return (features_shape[0], self.num_classes)

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "pooling": self.pooling,
            "hidden_units": list(self.hidden_units),
            "dropout": self.dropout,
        }
