"""Prior boxes for all feature levels of a detector.

Letters: L levels, S sizes and R ratios a level, A = sum over levels of H * W * (S + R - 1).
"""

import keras
import numpy as np
from keras import ops

from zoo.ops import convert_boxes, prior_boxes


@keras.saving.register_keras_serializable(package="zoo")
class AnchorGenerator:
    """Lay prior boxes on the cells of each feature level (book sections 13.4, 13.5).

    Args:
        sizes: L sequences of box sizes, fractions of the picture, in (0, 1].
        ratios: L sequences of width / height ratios, > 0.
        steps: L distances between the centres of cells, fractions of the picture, where they are
            not 1 / cells: SSD300 lays 38 cells 8 of 300 pixels apart. None: 1 / cells.
        limit_sides: whether widths and heights are cut down to 1.
    """

    def __init__(self, sizes, ratios, steps=None, limit_sides=False):
        if len(sizes) != len(ratios):
            raise ValueError(
                f"sizes and ratios must name the same levels; got {len(sizes)} and {len(ratios)}."
            )
        self.sizes = [list(level) for level in sizes]
        self.ratios = [list(level) for level in ratios]
        if steps is not None and len(steps) != len(sizes):
            raise ValueError(
                f"steps must name the levels of sizes, {len(sizes)}; got {len(steps)}."
            )
        self.steps = None if steps is None else list(steps)
        self.limit_sides = limit_sides

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
        anchors = [prior_boxes(h, w, s, r) for (h, w), s, r in levels]
        if self.steps is not None:
            placed = zip(anchors, shapes, self.steps, strict=True)
            anchors = [_placed(level, shape, step) for level, shape, step in placed]
        anchors = ops.concatenate(anchors, axis=0)
        return _limited(anchors) if self.limit_sides else anchors

    def get_config(self):
        return {
            "sizes": self.sizes,
            "ratios": self.ratios,
            "steps": self.steps,
            "limit_sides": self.limit_sides,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _placed(anchors, shape, step):
    """Move the centres of a level from 1 / cells apart to `step` apart."""
    centres, sides = ops.split(convert_boxes(anchors, "xyxy", "cxcywh"), 2, axis=-1)
    cells = np.asarray([shape[1], shape[0]], "float32")
    moved = ops.concatenate([centres * (cells * step), sides], axis=-1)
    return convert_boxes(moved, "cxcywh", "xyxy")


def _limited(anchors):
    """Cut widths and heights down to 1, the centres as they are."""
    centres, sides = ops.split(convert_boxes(anchors, "xyxy", "cxcywh"), 2, axis=-1)
    limited = ops.concatenate([centres, ops.minimum(sides, 1.0)], axis=-1)
    return convert_boxes(limited, "cxcywh", "xyxy")
