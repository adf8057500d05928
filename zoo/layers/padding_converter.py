"""A picture of any size -> what a fully convolutional network takes, at the picture's own scale.

Shape letters: h, w the picture; H, W the network's input; T tiles.
Words: a picture is *padded* below and to the right; one with a side longer than `tile_side` is cut
into *tiles* of one size, which overlap.
"""

import itertools
import math

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="zoo")
class PaddingConverter:
    """Pad pictures to few sizes, or cut them into tiles, resampling nothing.

    Every size that a backend has not seen is compiled anew on JAX, and once on TensorFlow. So
    sides are rounded up to a multiple of `multiple` and, beyond eight times of it, to one of four
    to eight lengths an octave: at most a fifth is padding, and 32 to 1,024 pixels are 16 lengths.
    The sizes do not depend on the backend, so that a published model means the same on each.

    Args:
        image_size: (H, W) of the windows of pictures the model is trained on.
        multiple: of which the sides of the input are multiples, the network's stride.
        tile_side: longest side that is seen at once; of longer ones, tiles of it.
        overlap: pixels that tiles have in common at least.
        fill: 0..255, grey of the padding, as of the windows in training.
    """

    def __init__(self, image_size, multiple=32, tile_side=1024, overlap=128, fill=114):
        if np.shape(image_size) != (2,) or min(image_size) < 1:
            raise ValueError(
                f"image_size must be (height, width), both at least 1; got {image_size}. "
                "One number for both sides?"
            )
        if multiple < 1 or tile_side % multiple or tile_side < multiple:
            raise ValueError(
                f"tile_side must be a multiple of the network's stride, {multiple}; "
                f"got {tile_side}."
            )
        if not 0 <= overlap < tile_side:
            raise ValueError(f"overlap must lie in 0..{tile_side - 1}; got {overlap}.")
        if not 0 <= fill <= 255:
            raise ValueError(f"fill must lie in 0..255; got {fill}.")
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.multiple = int(multiple)
        self.tile_side = int(tile_side)
        self.overlap = int(overlap)
        self.fill = int(fill)

    def get_config(self) -> dict:
        return {
            "image_size": self.image_size,
            "multiple": self.multiple,
            "tile_side": self.tile_side,
            "overlap": self.overlap,
            "fill": self.fill,
        }

    @classmethod
    def from_config(cls, config: dict) -> "PaddingConverter":
        return cls(**config)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (H, W) of the input for a picture, or for its tiles."""
        return self._padded(height), self._padded(width)

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return (top, left) of the tiles, row by row; of a picture seen at once, (0, 0) alone."""
        tall, wide = self.padded_size(height, width)
        return list(itertools.product(self._starts(height, tall), self._starts(width, wide)))

    def convert(self, picture: np.ndarray, corner=(0, 0)) -> np.ndarray:
        """Return what the network sees of a picture.

        Args:
            picture: (h, w, 3) uint8, RGB.
            corner: (top, left) of the tile, one of `corners`.
        Returns: (H, W, 3) uint8.
        """
        height, width = self.padded_size(*picture.shape[:2])
        top, left = corner
        shown = picture[top : top + height, left : left + width]
        pixels = np.full((height, width, 3), self.fill, np.uint8)
        pixels[: shown.shape[0], : shown.shape[1]] = shown
        return pixels

    def _padded(self, side: int) -> int:
        number = math.ceil(side / self.multiple)
        if number > 8:
            step = 2 ** (math.floor(math.log2(number - 1)) - 2)
            number = math.ceil(number / step) * step
        return min(number * self.multiple, self.tile_side)

    def _starts(self, side: int, tile: int) -> list[int]:
        if side <= tile:
            return [0]
        count = math.ceil((side - self.overlap) / (tile - self.overlap))
        return [round(step * (side - tile) / (count - 1)) for step in range(count)]
