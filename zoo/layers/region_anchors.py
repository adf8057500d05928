"""Anchors of a region proposal network.

Letters: L levels, S sizes and R ratios a level, A = sum over levels of H * W * S * R.
"""

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="zoo")
class RegionAnchors:
    """Lay anchors of fixed sizes in pixels on the cells of each level (Ren 2015, section 3.1.1).

    The anchors of a cell are whole pixels around the cell's top left corner, as torchvision's
    checkpoints know them.
    Deviation: centres lie at i * stride, as in the paper's code, where zoo's prior boxes have them
        at (i + 0.5) * stride.

    Args:
        sizes: L sequences of anchor sizes, pixels of the network's input: the square root of the
            area.
        ratios: of width / height, the same for every level.
    Raises: ValueError unless all levels have as many sizes.
    """

    def __init__(self, sizes, ratios=(2.0, 1.0, 0.5)):
        if len({len(level) for level in sizes}) != 1:
            raise ValueError(
                "anchor sizes must be as many on each level, which share one head; got "
                f"{[list(level) for level in sizes]}."
            )
        self.sizes = [list(level) for level in sizes]
        self.ratios = list(ratios)

    @property
    def anchors_per_cell(self) -> int:
        """The number of anchors on one cell of any level, S * R."""
        return len(self.sizes[0]) * len(self.ratios)

    def __call__(self, shapes, strides, image_size):
        """Return the anchors of each level.

        Args:
            shapes: L pairs (height, width) of the levels, in cells.
            strides: L strides, in pixels.
            image_size: (H, W) of the network's input, in pixels.
        Returns: a list of L arrays (H * W * S * R, 4) float32 xyxy, fractions of the network's
            input; the order is row, column, then ratio, size.
        Raises: ValueError if the levels are not as many as those of `sizes`.
        """
        if not len(shapes) == len(strides) == len(self.sizes):
            raise ValueError(
                f"anchor sizes must be set for each of the {len(shapes)} levels of the backbone; "
                f"got {len(self.sizes)}: {self.sizes}."
            )
        scale = np.tile(np.asarray(image_size, "float32")[::-1], 2)
        levels = zip(shapes, strides, self.sizes, strict=True)
        return [
            ((_corners(shape, stride)[:, None] + self.around_corner(sizes)) / scale)
            .reshape(-1, 4)
            .astype("float32")
            for shape, stride, sizes in levels
        ]

    def around_corner(self, sizes):
        """Return the anchors of one cell at (0, 0), (S * R, 4) whole pixels."""
        roots = np.sqrt(np.asarray(self.ratios, "float64"))[:, None]
        widths = np.ravel(roots * np.asarray(sizes))
        heights = np.ravel(np.asarray(sizes) / roots)
        return np.round(np.stack([-widths, -heights, widths, heights], axis=-1) / 2)

    def get_config(self):
        return {"sizes": self.sizes, "ratios": self.ratios}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _corners(shape, stride):
    """Return the top left corners of a level's cells, (H * W, 4) pixels, as shifts of xyxy."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] * stride
    return np.stack([columns, rows, columns, rows], axis=-1).reshape(-1, 4)
