"""Boxes to regression targets and back."""

import keras

from zoo.ops import decode_boxes, encode_boxes


@keras.saving.register_keras_serializable(package="zoo")
class BoxCoder:
    """Code boxes as offsets from anchors (Girshick 2014, R-CNN, appendix C; book eq. 13.4.3).

    Args:
        variances: four floats by which the offsets of x, y, width and height are divided.
    """

    def __init__(self, variances=(0.1, 0.1, 0.2, 0.2)):
        self.variances = tuple(variances)

    def encode(self, boxes, anchors):
        """Return the offsets (..., A, 4) that lead from `anchors` (A, 4) to `boxes` (..., A, 4)."""
        return encode_boxes(boxes, anchors, variances=self.variances)

    def decode(self, deltas, anchors):
        """Return the boxes (..., A, 4) that `deltas` (..., A, 4) make of `anchors` (A, 4)."""
        return decode_boxes(deltas, anchors, variances=self.variances)

    def get_config(self):
        return {"variances": list(self.variances)}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
