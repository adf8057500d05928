"""Which regions the second stage learns from, and what.

Letters: B images, K proposals, M padded boxes, N regions sampled.
"""

import keras
from keras import ops

from zoo.ops import balanced_sample, box_area, pairwise_iou


@keras.saving.register_keras_serializable(package="zoo")
class RegionSampler:
    """Match proposals to ground truth and draw a balanced sample (Girshick 2015, section 2.3).

    The ground truth joins the proposals: the second stage then has positives while the first still
    proposes nothing useful.

    Args:
        matcher: a `Matcher`.
        coder: the `BoxCoder` of the second stage.
        num_samples: N.
        positive_fraction: largest share of positives.
    """

    def __init__(self, matcher, coder, num_samples=512, positive_fraction=0.25):
        self.matcher = matcher
        self.coder = coder
        self.num_samples = num_samples
        self.positive_fraction = positive_fraction

    @property
    def max_positives(self) -> int:
        """The most positives a picture gives; they are the first of its regions."""
        return int(self.num_samples * self.positive_fraction)

    def __call__(self, proposals, boxes, labels, seed):
        """Return the regions and their targets, positives first.

        Args:
            proposals: (B, K, 4) xyxy fractions, without area in padding.
            boxes: (B, M, 4) xyxy fractions; labels: (B, M) int, -1 for padding.
            seed: of the draw, an int or a `keras.random.SeedGenerator`.
        Returns: a dict of `rois` (B, N, 4); `sampled` (B, N) bool, False in padding; `positives`
            (B, N) bool; `classes` (B, N) int32, 0 for background; `deltas` (B, N, 4), 0 where not
            positive; `rows` (B, N) int32, the matched row of `boxes`, 0 where none. N is at most
            K + M.
        """
        boxes, labels = ops.cast(boxes, "float32"), ops.cast(labels, "int32")
        proposals = ops.stop_gradient(ops.cast(proposals, "float32"))
        candidates = ops.concatenate([proposals, boxes], axis=1)
        real = ops.concatenate([box_area(proposals) > 0, labels >= 0], axis=1)
        matches = self.matcher(pairwise_iou(candidates, boxes), labels >= 0)
        positives = ops.logical_and(matches >= 0, real)
        sampled = balanced_sample(
            positives,
            ops.logical_and(ops.equal(matches, -1), real),
            num_samples=self.num_samples,
            positive_fraction=self.positive_fraction,
            seed=seed,
        )
        chosen = _positives_first(sampled, positives, self.num_samples)
        columns = (sampled, ops.logical_and(sampled, positives), matches)
        sampled, positives, matches = (ops.take_along_axis(c, chosen, axis=1) for c in columns)
        rois = ops.take_along_axis(candidates, chosen[..., None], axis=1)
        return self._targets(rois, sampled, positives, ops.maximum(matches, 0), boxes, labels)

    def _targets(self, rois, sampled, positives, rows, boxes, labels):
        matched_labels = ops.take_along_axis(labels, rows, axis=1)
        deltas = self.coder.encode(ops.take_along_axis(boxes, rows[..., None], axis=1), rois)
        return {
            "rois": rois,
            "sampled": sampled,
            "positives": positives,
            "classes": ops.where(positives, matched_labels + 1, 0),
            "deltas": ops.where(positives[..., None], deltas, 0.0),
            "rows": rows,
        }

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "matcher": serialize(self.matcher),
            "coder": serialize(self.coder),
            "num_samples": self.num_samples,
            "positive_fraction": self.positive_fraction,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))


def _positives_first(sampled, positives, count):
    """Return (B, N) int32 rows: sampled positives, other sampled ones, then the rest."""
    size = sampled.shape[1]
    rank = ops.cast(sampled, "float32") * (1.0 + ops.cast(positives, "float32"))
    order = rank * size - ops.arange(size, dtype="float32")
    return ops.cast(ops.top_k(order, min(count, size))[1], "int32")
