"""Which ground-truth box an anchor stands for."""

import keras

from zoo.ops import match_anchors


@keras.saving.register_keras_serializable(package="zoo")
class Matcher:
    """Match anchors to ground truth by IoU (Liu 2016, SSD, section 2.2; book section 13.4.3).

    Args:
        positive_threshold: an anchor whose best IoU reaches it takes that box.
        negative_threshold: an anchor whose best IoU is below it is background; those between the
            two thresholds are ignored. None: the positive threshold, so nothing is ignored.
        bipartite: whether every box also takes the anchor that fits it best, whatever the IoU.
        low_quality: whether every anchor that no other surpasses in overlapping some box takes the
            box it overlaps most, whatever the IoU (Ren 2015, Faster R-CNN, section 3.1.2).
    """

    def __init__(
        self,
        positive_threshold=0.5,
        negative_threshold=None,
        bipartite=True,
        low_quality=False,
    ):
        self.positive_threshold = positive_threshold
        self.negative_threshold = negative_threshold
        self.bipartite = bipartite
        self.low_quality = low_quality

    def __call__(self, iou, valid):
        """Return (B, A) int32, rows, -1 or -2 (ignored), from IoU (B, A, M) and validity (B, M)."""
        return match_anchors(
            iou,
            valid,
            positive_threshold=self.positive_threshold,
            negative_threshold=self.negative_threshold,
            bipartite=self.bipartite,
            low_quality=self.low_quality,
        )

    def get_config(self):
        return {
            "positive_threshold": self.positive_threshold,
            "negative_threshold": self.negative_threshold,
            "bipartite": self.bipartite,
            "low_quality": self.low_quality,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
