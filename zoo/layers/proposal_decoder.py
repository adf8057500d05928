"""Answers of the region proposal network to proposals.

Letters: B images, L levels, A anchors, P candidates a level, K proposals.
"""

import keras
import numpy as np
from keras import ops

from zoo.ops import clip_boxes, nms
from zoo.ops.ranking import top_k


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
        rows, real = _best_of_levels(objectness, level_sizes, pre_nms)
        wanted = min(wanted, int(real.sum()))
        scores = ops.take_along_axis(objectness, rows, axis=1)
        deltas = ops.take_along_axis(deltas, rows[..., None], axis=1)
        boxes = clip_boxes(self.coder.decode(deltas, ops.take(anchors, rows, axis=0)))
        sides = boxes[..., 2:] - boxes[..., :2]
        large = ops.min(sides, axis=-1) >= self.smallest
        # As tensors: beside NumPy, PyTorch would leave its device and its traces.
        scores = ops.where(large & ops.convert_to_tensor(real.reshape(-1)), scores, float("-inf"))
        boxes, scores = self._suppress(boxes, scores, real.shape, wanted)
        scores, chosen = top_k(scores, wanted)
        boxes = ops.take_along_axis(boxes, chosen[..., None], axis=1)
        return ops.where(scores[..., None] > float("-inf"), boxes, 0.0)

    def _suppress(self, boxes, scores, shape, wanted):
        """Return what is left of each level of `shape` (L, P), with scores of -inf in padding.

        A level is a row of its own: one row of them all would compare each with every other's.
        """
        by_level = ops.reshape(scores, (-1, *shape)), ops.reshape(boxes, (-1, *shape, 4))
        most = min(wanted, shape[1])
        kept = nms(by_level[1], by_level[0], self.iou_threshold, max_output=most)
        first = ops.arange(shape[0], dtype="int32")[:, None] * shape[1]
        rows = ops.maximum(kept, 0) + first
        kept, rows = (ops.reshape(some, (-1, shape[0] * most)) for some in (kept, rows))
        scores = ops.where(kept >= 0, ops.take_along_axis(scores, rows, axis=1), float("-inf"))
        return ops.take_along_axis(boxes, rows[..., None], axis=1), scores

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
    """Return the rows of the P best anchors of each level, (B, L P), and which are real, (L, P).

    P is `count`, or the size of the largest level; smaller ones repeat their best anchor.
    """
    rows, start = [], 0
    longest = min(count, max(level_sizes))
    real = np.arange(longest) < np.asarray(level_sizes)[:, None]
    for size in level_sizes:
        best = top_k(scores[:, start : start + size], min(count, size))[1]
        padding = ops.repeat(best[:, :1], longest - best.shape[1], axis=1)
        rows.append(ops.concatenate([best, padding], axis=1) + start)
        start += size
    return ops.concatenate(rows, axis=1), real
