"""The head of YOLO: a grid of cells, each with boxes and one class.

Letters: B images, S x S cells, Q = S * S, N boxes a cell, C classes.
"""

import keras
from keras import layers, ops

from zoo.layers.layout import (
    from_native,
    native_data_format,
    native_shape,
    public_shape,
    to_native,
)


@keras.saving.register_keras_serializable(package="zoo")
class YOLOHead(layers.Layer):
    """Predict boxes, their confidences and a class of every cell (Redmon 2016, section 2).

    Deviation: two 3x3 convolutions and a 1x1 one, where the paper has two fully connected layers of
    4,096 units; a cell sees its neighbourhood, and the number of weights does not grow with S.

    Args:
        num_classes: C.
        boxes_per_cell: N.
        channels: of the 3x3 convolutions.
        strides: of the first of them; 2 halves the features' sides to S.
    Returns: on call with a feature map, a dict of float32 `class_scores` (B, Q, C),
        `confidences` (B, Q, N) and `cell_boxes` (B, Q, N, 4): the centre's place in its cell, in
        cells, and the square roots of width and height, in pictures. None is squashed, as in the
        paper; all of them are 0..1 where the network is right.
    """

    def __init__(self, num_classes, boxes_per_cell=2, channels=512, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.boxes_per_cell = boxes_per_cell
        self.channels = channels
        self.strides = strides
        self.convolutions = [
            self._conv(channels, 3, strides=strides, name="conv_0"),
            self._conv(channels, 3, name="conv_1"),
        ]
        self.activation = layers.LeakyReLU(0.1, dtype=self.dtype_policy)  # the paper's equation 2
        self.predictor = self._conv(
            num_classes + 5 * boxes_per_cell,
            1,
            # The predictions are linear: they start near 0, whatever the features' size.
            initializer=keras.initializers.RandomNormal(stddev=0.01),
            name="predictor",
        )

    def _conv(self, filters, kernel_size, *, strides=1, initializer="he_normal", name):
        return layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            data_format=native_data_format(),
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape):
        shape = native_shape(input_shape)
        for layer in (*self.convolutions, self.predictor):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.cells = public_shape(shape)[1] * public_shape(shape)[2]
        self.built = True

    def call(self, features):
        features = to_native(features)
        for convolution in self.convolutions:
            features = self.activation(convolution(features))
        values = from_native(self.predictor(features))
        values = ops.cast(ops.reshape(values, (-1, self.cells, values.shape[-1])), "float32")
        first, second = self.num_classes, self.num_classes + self.boxes_per_cell
        boxes = ops.reshape(values[..., second:], (-1, self.cells, self.boxes_per_cell, 4))
        return {
            "class_scores": values[..., :first],
            "confidences": values[..., first:second],
            "cell_boxes": boxes,
        }

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "boxes_per_cell": self.boxes_per_cell,
            "channels": self.channels,
            "strides": self.strides,
        }
