"""Predictions of YOLO's cells to detections.

Letters: B images, Q cells, N boxes a cell, C classes, P candidates before suppression, K kept.
"""

import keras
from keras import ops

from zoo.layers.decoder import suppressed
from zoo.ops import clip_boxes
from zoo.ops.ranking import top_k


@keras.saving.register_keras_serializable(package="zoo")
class CellDecoder:
    """Rank and suppress the boxes of a grid (Redmon 2016, section 2, equation 1).

    A box scores, for each class, its confidence times the cell's score of the class.

    Args:
        score_threshold: what scores less takes no part.
        iou_threshold: what overlaps a better one of its class by more is suppressed.
        pre_nms: P, (box, class) pairs that enter suppression.
        max_detections: K, detections a picture at most.
    """

    def __init__(self, score_threshold=0.01, iou_threshold=0.5, pre_nms=400, max_detections=100):
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold
        self.pre_nms = pre_nms
        self.max_detections = max_detections

    def __call__(self, boxes, outputs):
        """Return padded detections, as `Decoder` does.

        Args:
            boxes: (B, Q, N, 4) xyxy fractions.
            outputs: what `YOLOHead` returns.
        """
        confidences = ops.clip(outputs["confidences"], 0.0, 1.0)[..., None]
        classes = ops.clip(outputs["class_scores"], 0.0, 1.0)[:, :, None]
        scores = confidences * classes  # (B, Q, N, C)
        cells, number, num_classes = scores.shape[1:]
        scores = ops.reshape(scores, (-1, cells * number * num_classes))
        scores, candidates = top_k(scores, min(self.pre_nms, scores.shape[1]))
        labels = candidates % num_classes
        boxes = clip_boxes(ops.reshape(boxes, (-1, cells * number, 4)))
        boxes = ops.take_along_axis(boxes, (candidates // num_classes)[..., None], axis=1)
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
            "score_threshold": self.score_threshold,
            "iou_threshold": self.iou_threshold,
            "pre_nms": self.pre_nms,
            "max_detections": self.max_detections,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
