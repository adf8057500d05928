"""Prior boxes for all feature levels of a detector.

Letters: L levels, S sizes and R ratios a level, A = sum over levels of H * W * (S + R - 1).
"""

import keras
from keras import ops

from zoo.ops import prior_boxes


@keras.saving.register_keras_serializable(package="zoo")
class AnchorGenerator:
    """Lay prior boxes on the cells of each feature level (book sections 13.4, 13.5).

    Args:
        sizes: L sequences of box sizes, fractions of the picture, in (0, 1].
        ratios: L sequences of width / height ratios, > 0.
    """

    def __init__(self, sizes, ratios):
        if len(sizes) != len(ratios):
            raise ValueError(
                f"sizes and ratios must name the same levels; got {len(sizes)} and {len(ratios)}."
            )
        self.sizes = [list(level) for level in sizes]
        self.ratios = [list(level) for level in ratios]

    @property
    def anchors_per_cell(self) -> list[int]:
        """The number of anchors on one cell of each level, S + R - 1."""
        pairs = zip(self.sizes, self.ratios, strict=True)
        return [len(sizes) + len(ratios) - 1 for sizes, ratios in pairs]

    def __call__(self, shapes):
        """Return the anchors of all levels.

        Args:
            shapes: L pairs (height, width) of the feature levels, in cells.
        Returns: (A, 4) float32, xyxy, fractions of the network's input; levels follow one another.
        """
        if len(shapes) != len(self.sizes):
            raise ValueError(
                f"shapes must hold one (height, width) a level, {len(self.sizes)} in all; "
                f"got {len(shapes)}. Does the backbone give as many levels as sizes are set?"
            )
        levels = zip(shapes, self.sizes, self.ratios, strict=True)
        return ops.concatenate([prior_boxes(h, w, s, r) for (h, w), s, r in levels], axis=0)

    def get_config(self):
        return {"sizes": self.sizes, "ratios": self.ratios}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
