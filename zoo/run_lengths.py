"""Masks as COCO's run lengths, in NumPy and pycocotools.

A hundred masks of a photograph are 100 MB of pixels and some 100 kB of run lengths, so this is how
they are held wherever there may be many.
Shape letters: K masks, h and w the picture's height and width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask


@dataclass(frozen=True)
class RunLengths:
    """The masks of one picture.

    Args:
        counts: COCO's compressed run lengths of each; b"" is a mask without a pixel.
        size: (h, w).
    """

    counts: tuple[bytes, ...]
    size: tuple[int, int]

    @classmethod
    def encode(cls, masks: np.ndarray) -> RunLengths:
        """Encode masks (K, h, w) bool, one at a time.

        Raises: ValueError if they have another number of axes.
        """
        if masks.ndim != 3:
            raise ValueError(f"masks must be (K, h, w), those of one picture; got {masks.shape}.")
        return cls(tuple(encode_mask(mask) for mask in masks), masks.shape[1:])

    def decode(self) -> np.ndarray:
        """Return the masks (K, h, w) bool."""
        masks = np.zeros((len(self), *self.size), bool)
        for mask, counts in zip(masks, self.counts, strict=True):
            mask[:] = decode_mask(counts, self.size)
        return masks

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, which: np.ndarray) -> RunLengths:
        """Return the masks at the indices (N,) int, or where `which` (K,) bool is true."""
        rows = np.arange(len(self))[which]
        return RunLengths(tuple(self.counts[row] for row in rows), self.size)

    def to_coco(self) -> list[dict]:
        """Return K dicts of `size` and `counts` (bytes), as `pycocotools.mask` takes them."""
        empty = b"" if all(self.counts) else encode_mask(np.zeros(self.size, bool))
        return [{"size": list(self.size), "counts": counts or empty} for counts in self.counts]


def encode_mask(mask: np.ndarray) -> bytes:
    """Return the compressed run lengths of a mask (h, w) bool."""
    return coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"]


def decode_mask(counts: bytes, size: tuple[int, int]) -> np.ndarray:
    """Return the mask (h, w) bool of compressed run lengths; b"" is a mask without a pixel."""
    if not counts:
        return np.zeros(size, bool)
    return coco_mask.decode({"size": list(size), "counts": counts}).astype(bool)
