"""The logits of overlapping tiles -> the classes of the whole picture.

Shape letters: h, w the picture, H, W a tile, C classes. NumPy alone.
"""

import numpy as np


class TileBlend:
    """Blend tiles that come row by row, holding the logits of one row of tiles at a time.

    A pixel's logits are the mean over its tiles, each weighted by how far from its own border it
    sees the pixel, up to the overlap: a network sees less there.

    Args:
        shape: (h, w) of the picture.
        overlap: pixels over which a tile's weight rises.
    """

    def __init__(self, shape, overlap):
        self.overlap = max(overlap, 1)
        self.classes = np.zeros(shape, np.uint8)
        self.scores = np.zeros(shape, np.float32)
        self._top = 0
        self._sums = None  # (rows of a tile, w, C), from row `_top` of the picture on
        self._weights = None  # (rows of a tile, w, 1)

    def add(self, logits, corner) -> None:
        """Add a tile.

        Args:
            logits: (H, W, C) float32.
            corner: (top, left) of it in the picture; tops never fall.
        """
        top, left = corner
        height = min(logits.shape[0], self.classes.shape[0] - top)
        width = min(logits.shape[1], self.classes.shape[1] - left)
        if self._sums is None:
            shape = (logits.shape[0], self.classes.shape[1])
            self._sums = np.zeros((*shape, logits.shape[2]), np.float32)
            self._weights = np.zeros((*shape, 1), np.float32)
        self._finish_rows(top)
        weights = np.outer(self._ramp(logits.shape[0]), self._ramp(logits.shape[1]))[..., None]
        place = (slice(height), slice(left, left + width))
        self._sums[place] += (logits * weights)[:height, :width]
        self._weights[place] += weights[:height, :width]

    def finish(self):
        """Return the picture's classes (h, w) uint8 and their scores (h, w) float32."""
        self._finish_rows(self.classes.shape[0])
        return self.classes, self.scores

    def _finish_rows(self, top):
        """Decide the rows above `top`, to which no tile adds any more."""
        count = top - self._top
        if count == 0:
            return
        logits = self._sums[:count] / self._weights[:count]
        rows = slice(self._top, top)
        self.classes[rows] = logits.argmax(axis=-1)
        best = logits.max(axis=-1, keepdims=True)
        self.scores[rows] = 1.0 / np.exp(logits - best).sum(axis=-1)
        for held in (self._sums, self._weights):
            held[: len(held) - count] = held[count:].copy()
            held[len(held) - count :] = 0
        self._top = top

    def _ramp(self, side):
        place = np.arange(side, dtype=np.float32)
        return np.minimum(np.minimum(place + 1, side - place) / self.overlap, 1.0)
