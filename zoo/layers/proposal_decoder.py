"""Answers of the region proposal network to proposals.

Letters: B images, L levels, A anchors, P candidates over all levels, K proposals.
"""

import keras
import numpy as np
from keras import ops

from zoo.ops import batched_nms, clip_boxes


@keras.saving.register_keras_serializable(package="zoo")
class ProposalDecoder:
    """Choose the boxes that the second stage looks at (Ren 2015, section 3.3).

    The best anchors of each level are decoded, clipped and suppressed level by level; the best of
    what is left, over all levels, are the proposals. No gradient passes.

    Args:
        coder: the `BoxCoder` whose offsets the network predicts.
        iou_threshold: a candidate that overlaps a better one of its level by more is suppressed.
        pre_nms, proposals: candidates a level that enter suppression, and K, at inference.
        train_pre_nms, train_proposals: the same in training.
        smallest: shortest side of a candidate that takes part, as a fraction of the picture.
    """

    def __init__(
        self,
        coder,
        iou_threshold=0.7,
        pre_nms=1000,
        proposals=1000,
        train_pre_nms=2000,
        train_proposals=2000,
        smallest=1e-6,
    ):
        self.coder = coder
        self.iou_threshold = iou_threshold
        self.pre_nms = pre_nms
        self.proposals = proposals
        self.train_pre_nms = train_pre_nms
        self.train_proposals = train_proposals
        self.smallest = smallest

    def __call__(self, objectness, deltas, anchors, level_sizes, training=False):
        """Return padded proposals, the best first.

        Args:
            objectness: (B, A) logits.
            deltas: (B, A, 4) coded offsets.
            anchors: (A, 4) xyxy fractions.
            level_sizes: L ints, the anchors of each level; their sum is A.
        Returns: (B, K, 4) xyxy fractions, 0 in padding, which alone has boxes without area.
        """
        pre_nms = self.train_pre_nms if training else self.pre_nms
        wanted = self.train_proposals if training else self.proposals
        objectness, deltas = (
            ops.stop_gradient(ops.cast(values, "float32")) for values in (objectness, deltas)
        )
        rows, levels = _best_of_levels(objectness, level_sizes, pre_nms)
        scores = ops.take_along_axis(objectness, rows, axis=1)
        deltas = ops.take_along_axis(deltas, rows[..., None], axis=1)
        boxes = clip_boxes(self.coder.decode(deltas, ops.take(anchors, rows, axis=0)))
        sides = boxes[..., 2:] - boxes[..., :2]
        scores = ops.where(ops.min(sides, axis=-1) >= self.smallest, scores, float("-inf"))
        kept = batched_nms(
            boxes,
            scores,
            ops.broadcast_to(levels, ops.shape(scores)),
            iou_threshold=self.iou_threshold,
            max_output=min(wanted, scores.shape[1]),
        )
        chosen = ops.take_along_axis(boxes, ops.maximum(kept, 0)[..., None], axis=1)
        return ops.where(kept[..., None] >= 0, chosen, 0.0)

    def get_config(self):
        return {
            "coder": keras.saving.serialize_keras_object(self.coder),
            "iou_threshold": self.iou_threshold,
            "pre_nms": self.pre_nms,
            "proposals": self.proposals,
            "train_pre_nms": self.train_pre_nms,
            "train_proposals": self.train_proposals,
            "smallest": self.smallest,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"coder": keras.saving.deserialize_keras_object(config["coder"])})


def _best_of_levels(scores, level_sizes, count):
    """Return the rows of the `count` best anchors of each level (B, P), and their levels (P,)."""
    rows, levels, start = [], [], 0
    for level, size in enumerate(level_sizes):
        best = ops.top_k(scores[:, start : start + size], min(count, size))[1]
        rows.append(ops.cast(best, "int32") + start)
        levels += [level] * best.shape[1]
        start += size
    return ops.concatenate(rows, axis=1), np.asarray(levels, "int32")
