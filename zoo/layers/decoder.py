"""Predictions to detections.

Letters: B images, A anchors, C classes, P candidates before suppression, K detections kept.
"""

import keras
from keras import ops

from zoo.ops import batched_nms, clip_boxes
from zoo.ops.ranking import top_k


@keras.saving.register_keras_serializable(package="zoo")
class Decoder:
    """Decode, rank and suppress the predictions of an anchor-based detector (SSD, section 2.2).

    Every (anchor, class) pair is a candidate; the best of them enter suppression, which never
    crosses classes.

    Args:
        coder: the `BoxCoder` whose offsets the model predicts.
        score_threshold: candidates that score less take no part.
        iou_threshold: a candidate that overlaps a better one of its class by more is suppressed.
        pre_nms: P, candidates a picture that enter suppression; None: all.
        max_detections: K, detections a picture at most.
        class_pre_nms: candidates of one class among them at most; None: P.
    """

    def __init__(
        self,
        coder,
        score_threshold=0.01,
        iou_threshold=0.5,
        pre_nms=400,
        max_detections=100,
        *,
        class_pre_nms=None,
    ):
        self.coder = coder
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold
        self.pre_nms = pre_nms
        self.max_detections = max_detections
        self.class_pre_nms = class_pre_nms

    def __call__(self, class_logits, box_deltas, anchors):
        """Return padded detections.

        Args:
            class_logits: (B, A, C + 1) float, background first.
            box_deltas: (B, A, 4) float, coded offsets.
            anchors: (A, 4) xyxy.
        Returns: a dict of `boxes` (B, K, 4) xyxy fractions, 0 in padding; `scores` (B, K), 0 in
            padding, falling; `labels` (B, K) int32, -1 in padding; `num` (B,) int32.
        """
        scores = ops.softmax(ops.cast(class_logits, "float32"), axis=-1)[..., 1:]
        scores, anchor_rows, labels = self._candidates(scores)
        deltas = ops.take_along_axis(
            ops.cast(box_deltas, "float32"), anchor_rows[..., None], axis=1
        )
        boxes = clip_boxes(self.coder.decode(deltas, ops.take(anchors, anchor_rows, axis=0)))
        return suppressed(
            boxes,
            scores,
            labels,
            iou_threshold=self.iou_threshold,
            max_detections=self.max_detections,
            score_threshold=self.score_threshold,
        )

    def _candidates(self, scores):
        """Return the scores, anchors and labels (B, P) of the best of (B, A, C) scores."""
        anchors, num_classes = scores.shape[1:]
        anchor_rows = None
        if self.class_pre_nms is not None and self.class_pre_nms < anchors:
            by_class = ops.transpose(scores, (0, 2, 1))
            scores, anchor_rows = top_k(by_class, self.class_pre_nms)  # (B, C, class_pre_nms)
            scores, anchor_rows = (ops.transpose(v, (0, 2, 1)) for v in (scores, anchor_rows))
        pairs = scores.shape[1] * num_classes
        count = pairs if self.pre_nms is None else min(self.pre_nms, pairs)
        scores, places = top_k(ops.reshape(scores, (-1, pairs)), count)
        labels = places % num_classes
        if anchor_rows is None:
            return scores, places // num_classes, labels
        anchor_rows = ops.reshape(anchor_rows, (-1, pairs))
        return scores, ops.take_along_axis(anchor_rows, places, axis=1), labels

    def get_config(self):
        return {
            "coder": keras.saving.serialize_keras_object(self.coder),
            "score_threshold": self.score_threshold,
            "iou_threshold": self.iou_threshold,
            "pre_nms": self.pre_nms,
            "max_detections": self.max_detections,
            "class_pre_nms": self.class_pre_nms,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"coder": keras.saving.deserialize_keras_object(config["coder"])})


def suppressed(boxes, scores, labels, *, iou_threshold, max_detections, score_threshold):
    """Suppress ranked candidates class by class into padded detections, as `Decoder` returns them.

    Args:
        boxes: (B, P, 4); scores, labels: (B, P); the rest: of `Decoder`.
    """
    kept = batched_nms(
        boxes,
        scores,
        labels,
        iou_threshold=iou_threshold,
        max_output=max_detections,
        score_threshold=score_threshold,
    )
    real = kept >= 0
    rows = ops.maximum(kept, 0)
    return {
        "boxes": ops.where(
            real[..., None], ops.take_along_axis(boxes, rows[..., None], axis=1), 0.0
        ),
        "scores": ops.where(real, ops.take_along_axis(scores, rows, axis=1), 0.0),
        "labels": ops.where(real, ops.take_along_axis(labels, rows, axis=1), -1),
        "num": ops.sum(ops.cast(real, "int32"), axis=1),
    }
