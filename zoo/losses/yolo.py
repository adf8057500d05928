"""YOLO's loss: squared errors of places, confidences and classes.

Letters: B images, Q cells, N boxes a cell, C classes.
Words: of the boxes of a cell with an object, the *responsible* one overlaps the object most.
"""

import keras
from keras import ops

from zoo.ops import pairwise_iou


@keras.saving.register_keras_serializable(package="zoo")
class YOLOLoss:
    """The sum of squared errors of one grid (Redmon 2016, equation 3).

    The confidence of the responsible box is to be its IoU with the object, every other one 0. The
    sums are over a picture, and their mean over the batch, as in the author's code.

    Args:
        coord_weight: factor on the places of responsible boxes, the paper's lambda_coord.
        noobj_weight: factor on the confidences of all other boxes, its lambda_noobj.
    """

    def __init__(self, coord_weight=5.0, noobj_weight=0.5):
        self.coord_weight = coord_weight
        self.noobj_weight = noobj_weight
        self._squared_error = keras.losses.MeanSquaredError()

    def __call__(self, targets, outputs, boxes):
        """Return a dict of the scalars `box_loss`, `confidence_loss` and `class_loss`.

        Args:
            targets: what `CellCoder.encode` returns.
            outputs: what `YOLOHead` returns.
            boxes: (B, Q, N, 4) xyxy fractions, the outputs decoded.
        """
        boxes = ops.stop_gradient(boxes)
        iou = pairwise_iou(boxes, targets["boxes"][:, :, None])[..., 0]  # (B, Q, N)
        responsible = _responsible(iou, boxes, targets)
        weights = ops.where(responsible, 1.0, self.noobj_weight)
        objects = ops.cast(targets["objects"], "float32")
        num_classes = outputs["class_scores"].shape[-1]
        chosen = ops.cast(responsible, "float32")
        cell_boxes = ops.broadcast_to(
            targets["cell_boxes"][:, :, None], ops.shape(outputs["cell_boxes"])
        )
        return {
            "box_loss": self._sum(cell_boxes, outputs["cell_boxes"], self.coord_weight * chosen),
            "confidence_loss": self._sum(
                (iou * chosen)[..., None], outputs["confidences"][..., None], weights
            ),
            "class_loss": self._sum(
                ops.one_hot(targets["classes"], num_classes), outputs["class_scores"], objects
            ),
        }

    def _sum(self, targets, values, weights):
        """A picture's sum, as a mean over the batch: the Keras mean divides by all but the batch.

        Args:
            targets, values: (B, ..., K); weights: (B, ...).
        """
        elements = 1
        for side in values.shape[1:]:
            elements *= side
        return self._squared_error(targets, values, weights * float(elements))

    def get_config(self):
        return {"coord_weight": self.coord_weight, "noobj_weight": self.noobj_weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _responsible(iou, boxes, targets):
    """Mark the box of each cell with an object that answers for it, (B, Q, N) bool.

    Where no box touches the object, the nearest by its corners does, as in the author's code.
    """
    distance = ops.sum(ops.square(boxes - targets["boxes"][:, :, None]), axis=-1)
    touched = ops.any(iou > 0, axis=-1, keepdims=True)
    best = ops.argmax(ops.where(touched, iou, -distance), axis=-1)
    number = iou.shape[-1]
    first = ops.arange(number, dtype="int32") == ops.cast(best, "int32")[..., None]
    return ops.logical_and(first, targets["objects"][..., None])
