"""Answers of the second stage to detections.

Letters: B images, R regions, C classes, P candidates before suppression, K detections kept.
"""

import keras
from keras import ops

from zoo.layers.decoder import suppressed
from zoo.ops import box_area, clip_boxes
from zoo.ops.ranking import top_k


def class_probabilities(class_logits):
    """Return (B, R, C) float32, the softmax of (B, R, C + 1) without the background, the first."""
    return ops.softmax(ops.cast(class_logits, "float32"), axis=-1)[..., 1:]


@keras.saving.register_keras_serializable(package="zoo")
class RoIDecoder:
    """Decode, rank and suppress regions, each of which has a box a class (Girshick 2015).

    Every (region, class) pair is a candidate; the best `pre_nms` of them enter suppression, which
    never crosses classes.

    Args:
        coder: the `BoxCoder` whose offsets the model predicts.
        score_threshold: candidates that score less take no part.
        iou_threshold: a candidate that overlaps a better one of its class by more is suppressed.
        pre_nms: P, candidates a picture that enter suppression.
        max_detections: K, detections a picture at most.
    """

    def __init__(
        self, coder, score_threshold=0.05, iou_threshold=0.5, pre_nms=1000, max_detections=100
    ):
        self.coder = coder
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold
        self.pre_nms = pre_nms
        self.max_detections = max_detections

    def __call__(self, class_scores, box_deltas, proposals):
        """Return padded detections.

        Args:
            class_scores: (B, R, C) float32, of the objects' classes only.
            box_deltas: (B, R, C, 4) float, coded offsets.
            proposals: (B, R, 4) xyxy fractions, without area in padding.
        Returns: a dict of `boxes`, `scores`, `labels` and `num`, as `Decoder` gives them.
        """
        regions, num_classes = box_deltas.shape[1:3]
        scores = ops.where((box_area(proposals) > 0)[..., None], class_scores, float("-inf"))
        scores = ops.reshape(scores, (-1, regions * num_classes))
        scores, candidates = top_k(scores, min(self.pre_nms, regions * num_classes))
        labels = candidates % num_classes
        deltas = ops.reshape(box_deltas, (-1, regions * num_classes, 4))
        deltas = ops.take_along_axis(deltas, candidates[..., None], axis=1)
        rows = (candidates // num_classes)[..., None]
        proposals = ops.take_along_axis(proposals, rows, axis=1)
        boxes = clip_boxes(self.coder.decode(deltas, proposals))
        scores = ops.where(box_area(boxes) > 0, scores, float("-inf"))
        return suppressed(
            boxes,
            scores,
            labels,
            iou_threshold=self.iou_threshold,
            max_detections=self.max_detections,
            score_threshold=self.score_threshold,
        )

    def get_config(self):
        return {
            "coder": keras.saving.serialize_keras_object(self.coder),
            "score_threshold": self.score_threshold,
            "iou_threshold": self.iou_threshold,
            "pre_nms": self.pre_nms,
            "max_detections": self.max_detections,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"coder": keras.saving.deserialize_keras_object(config["coder"])})
