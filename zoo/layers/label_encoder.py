"""Ground truth to per-anchor targets.

Letters: B images, A anchors, M padded boxes.
Words: a *positive* anchor stands for a box, a *negative* one for background, an *ignored* one for
neither. The shift between labels 0..C-1 and logits with background first is made here and undone in
the decoder, nowhere else.
"""

import keras
from keras import ops

from zoo.ops import pairwise_iou


@keras.saving.register_keras_serializable(package="zoo")
class LabelEncoder:
    """Give each anchor its class and its offsets (book section 13.4.3, `multibox_target`).

    Args:
        matcher: a `Matcher`.
        coder: a `BoxCoder`.
    """

    def __init__(self, matcher, coder):
        self.matcher = matcher
        self.coder = coder

    def __call__(self, boxes, labels, anchors):
        """Return the targets of a padded batch.

        Args:
            boxes: (B, M, 4) xyxy, fractions of the network's input.
            labels: (B, M) int, 0..C-1, -1 for a padding row.
            anchors: (A, 4) xyxy.
        Returns: a dict of `classes` (B, A) int32, 0 for background; `deltas` (B, A, 4) float32, 0
            where not positive; `positives` and `negatives` (B, A) bool.
        """
        boxes = ops.cast(boxes, "float32")
        labels = ops.cast(labels, "int32")
        matches = self.matcher(pairwise_iou(anchors, boxes), labels >= 0)
        positives = matches >= 0
        rows = ops.maximum(matches, 0)
        matched_boxes = ops.take_along_axis(boxes, rows[..., None], axis=1)
        matched_labels = ops.take_along_axis(labels, rows, axis=1)
        deltas = self.coder.encode(matched_boxes, anchors)
        return {
            "classes": ops.where(positives, matched_labels + 1, 0),
            # A background anchor was paired with row 0, which may be padding.
            "deltas": ops.where(positives[..., None], deltas, 0.0),
            "positives": positives,
            "negatives": ops.equal(matches, -1),
        }

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {"matcher": serialize(self.matcher), "coder": serialize(self.coder)}

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        return cls(matcher=deserialize(config["matcher"]), coder=deserialize(config["coder"]))
