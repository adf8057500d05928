"""The head of a region proposal network.

Letters: B images, N anchors on a cell, A anchors over all levels.
"""

import keras
from keras import layers, ops

from zoo.layers.convolution import convolve
from zoo.layers.layout import from_native, native_data_format, native_shape, to_native

# Ren 2015, section 3.1.3: new layers start from a Gaussian of standard deviation .01.
_SMALL = keras.initializers.RandomNormal(stddev=0.01)


@keras.saving.register_keras_serializable(package="zoo")
class RPNHead(layers.Layer):
    """Say of every anchor whether it holds an object, and where (Ren 2015, section 3.1).

    One 3x3 convolution and two 1x1 ones, the same for all levels.

    Args:
        anchors_per_cell: N, the same on every level.
        channels: of the 3x3 convolution; None: those of the features.
    Returns: on call with a list of feature maps (B, H, W, channels), a dict of `objectness` (B, A)
        logits and `deltas` (B, A, 4), both float32, anchors in the order of the levels, then row,
        column, anchor.
    """

    def __init__(self, anchors_per_cell, channels=None, **kwargs):
        super().__init__(**kwargs)
        self.anchors_per_cell = anchors_per_cell
        self.channels = channels
        self.objectness = self._conv(anchors_per_cell, 1, "objectness")
        self.deltas = self._conv(4 * anchors_per_cell, 1, "deltas")

    def _conv(self, filters, kernel_size, name):
        return layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            data_format=native_data_format(),
            kernel_initializer=_SMALL,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, feature_shapes):
        shape = native_shape((None, None, None, feature_shapes[0][-1]))
        self.conv = self._conv(self.channels or feature_shapes[0][-1], 3, "conv")
        self.conv.build(shape)
        shape = self.conv.compute_output_shape(shape)
        self.objectness.build(shape)
        self.deltas.build(shape)
        self.built = True

    def call(self, features):
        hidden = [convolve(self.conv, to_native(level), relu=True) for level in features]
        return {
            "objectness": _rows(self.objectness, hidden, 1)[..., 0],
            "deltas": _rows(self.deltas, hidden, 4),
        }

    def get_config(self):
        return super().get_config() | {
            "anchors_per_cell": self.anchors_per_cell,
            "channels": self.channels,
        }


def _rows(predictor, hidden, depth):
    """Join the maps of all levels into one row an anchor, (B, A, depth) float32."""
    levels = []
    for level in hidden:
        predictions = from_native(convolve(predictor, level))
        count = predictions.shape[1] * predictions.shape[2] * predictions.shape[3] // depth
        levels.append(ops.reshape(predictions, (-1, count, depth)))
    return ops.cast(ops.concatenate(levels, axis=1), "float32")
