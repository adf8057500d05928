"""The second stage of the R-CNN family: crops of features to classes and boxes.

Letters: B images, R regions, C classes.
"""

import keras
from keras import layers, ops

from zoo.layers.convolution import project


@keras.saving.register_keras_serializable(package="zoo")
class BoxHead(layers.Layer):
    """Two fully connected layers, then a classifier and a box a class (Girshick 2015, Fast R-CNN).

    Args:
        num_classes: C, without the background.
        units: of the two hidden layers.
    Returns: on call with crops (B, R, h, w, channels), a dict of `class_logits` (B, R, C + 1),
        background first, and `box_deltas` (B, R, C, 4), both float32.
    """

    def __init__(self, num_classes, units=1024, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.units = units
        self.hidden = [self._dense(units, f"hidden_{n}", "he_uniform") for n in range(2)]
        # Fast R-CNN, section 2.3: Gaussians of standard deviation .01 and .001.
        self.classifier = self._dense(num_classes + 1, "classifier", _normal(0.01))
        self.regressor = self._dense(4 * num_classes, "regressor", _normal(0.001))

    def _dense(self, units, name, initializer):
        return layers.Dense(
            units,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, crops_shape):
        batch, regions, height, width, channels = crops_shape
        shape = (batch, regions, height * width * channels)
        for layer in self.hidden:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.classifier.build(shape)
        self.regressor.build(shape)
        self.built = True

    def call(self, crops):
        regions, height, width, channels = crops.shape[1:]
        hidden = ops.reshape(crops, (-1, regions, height * width * channels))
        for layer in self.hidden:
            hidden = project(layer, hidden, relu=True)
        deltas = ops.reshape(self.regressor(hidden), (-1, regions, self.num_classes, 4))
        return {
            "class_logits": ops.cast(self.classifier(hidden), "float32"),
            "box_deltas": ops.cast(deltas, "float32"),
        }

    def get_config(self):
        return super().get_config() | {"num_classes": self.num_classes, "units": self.units}


def _normal(stddev):
    return keras.initializers.RandomNormal(stddev=stddev)
