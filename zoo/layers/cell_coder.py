"""Boxes as a cell of YOLO's grid sees them, and back; and which cell answers for which object.

Letters: B images, S x S cells, Q = S * S in rows, M padded boxes.
Words: a cell box is x, y, root of width, root of height: the centre's place in its cell, in cells,
and the square roots of the sides, in pictures.
"""

import keras
import numpy as np
from keras import ops

from zoo.ops import convert_boxes


@keras.saving.register_keras_serializable(package="zoo")
class CellCoder:
    """The grid of YOLO (Redmon 2016, section 2).

    Args:
        grid: S.
    """

    def __init__(self, grid):
        self.grid = grid

    def decode(self, cell_boxes):
        """Return boxes (B, Q, N, 4), xyxy fractions of the picture, of cell boxes (B, Q, N, 4)."""
        centres = (self._corners()[:, None] + cell_boxes[..., :2]) / self.grid
        # A negative root is no side; its square would be one.
        sides = ops.square(ops.maximum(cell_boxes[..., 2:], 0.0))
        return convert_boxes(ops.concatenate([centres, sides], axis=-1), "cxcywh", "xyxy")

    def encode(self, boxes, labels):
        """Give each object to the cell in which its centre lies.

        Where several share a cell the first in order has it: a cell has one class.

        Args:
            boxes: (B, M, 4) xyxy fractions; labels: (B, M) int, -1 for padding.
        Returns: a dict of `objects` (B, Q) bool, whether the cell has one; `classes` (B, Q) int32,
            0 where it has none; `boxes` (B, Q, 4) xyxy, and `cell_boxes` (B, Q, 4).
        """
        boxes, labels = ops.cast(boxes, "float32"), ops.cast(labels, "int32")
        centred = convert_boxes(boxes, "xyxy", "cxcywh")
        places = ops.clip(ops.floor(centred[..., :2] * self.grid), 0, self.grid - 1)
        cells = ops.cast(places[..., 1] * self.grid + places[..., 0], "int32")  # (B, M)
        count = self.grid * self.grid
        inside = cells[:, None, :] == ops.arange(count, dtype="int32")[:, None]  # (B, Q, M)
        inside = ops.logical_and(inside, (labels >= 0)[:, None, :])
        first = ops.cast(ops.argmax(ops.cast(inside, "int32"), axis=-1), "int32")
        objects = ops.any(inside, axis=-1)
        owned = ops.take_along_axis(boxes, first[..., None], axis=1)
        centred = ops.take_along_axis(centred, first[..., None], axis=1)
        offsets = centred[..., :2] * self.grid - self._corners()
        roots = ops.sqrt(ops.maximum(centred[..., 2:], 0.0))
        cell_boxes = ops.concatenate([offsets, roots], axis=-1)
        return {
            "objects": objects,
            "classes": ops.where(objects, ops.take_along_axis(labels, first, axis=1), 0),
            "boxes": ops.where(objects[..., None], owned, 0.0),
            "cell_boxes": ops.where(objects[..., None], cell_boxes, 0.0),
        }

    def _corners(self):
        """Column and row of each cell, (Q, 2)."""
        rows, columns = np.divmod(np.arange(self.grid**2), self.grid)
        return ops.convert_to_tensor(np.stack([columns, rows], axis=-1).astype("float32"))

    def get_config(self):
        return {"grid": self.grid}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
