"""Proposals from the picture alone: regions that merge alike segments.

Shape letters: h, w the picture's sides in pixels, P proposals.
"""

import keras
import numpy as np

MODES = ("fast", "quality")


@keras.saving.register_keras_serializable(package="zoo")
class SelectiveSearch:
    """Selective search (Uijlings 2013), as R-CNN and Fast R-CNN take their regions.

    OpenCV finds the boxes. It ranks them by chance, anew each time, so where there are more than
    `count` a draw of our own, the same each time, says which stay.

    Args:
        count: P, proposals a picture at most.
        mode: "fast" or "quality", which finds twice as many in three times the time.
        side: the picture's longer side is brought down to so many pixels first, if larger.
        smallest: shortest side of a proposal, as a fraction of the picture's longer side.
    Raises: ValueError for an unknown mode or numbers out of range.
    """

    def __init__(self, count=500, mode="fast", side=300, smallest=0.02):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}; got {mode!r}.")
        if count < 1 or side < 32 or not 0 <= smallest < 1:
            raise ValueError(
                "count must be at least 1, side at least 32 and smallest in 0..1; got "
                f"{count}, {side} and {smallest}."
            )
        self.count = count
        self.mode = mode
        self.side = side
        self.smallest = smallest

    def __call__(self, picture) -> np.ndarray:
        """Return the proposals of a picture.

        Args:
            picture: (h, w, 3) uint8, RGB.
        Returns: (P, 4) float32 xyxy, fractions of the picture; zeros where there are fewer.
        """
        height, width = picture.shape[:2]
        scale = min(1.0, self.side / max(height, width))
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        boxes = _search(picture, size, self.mode)
        large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= self.smallest * max(size)
        boxes = boxes[large]
        if len(boxes) > self.count:
            drawn = np.random.default_rng(0).permutation(len(boxes))[: self.count]
            boxes = boxes[np.sort(drawn)]
        proposals = np.zeros((self.count, 4), np.float32)
        proposals[: len(boxes)] = boxes / np.tile(size, 2)
        return proposals

    def get_config(self):
        return {
            "count": self.count,
            "mode": self.mode,
            "side": self.side,
            "smallest": self.smallest,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _search(picture, size, mode) -> np.ndarray:
    """Return the boxes (N, 4) int xyxy in a picture brought to `size`, in order, each once."""
    import cv2  # a second's import that most models do without

    shown = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
    if mode == "fast":
        search.switchToSelectiveSearchFast()
    else:
        search.switchToSelectiveSearchQuality()
    found = np.unique(search.process().reshape(-1, 4), axis=0)
    return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)
