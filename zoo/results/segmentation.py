"""The class of every pixel of one picture.

Shape letters: C classes, h and w the original picture's height and width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.colormaps import VOID, Color, classes_to_colors, voc_colormap
from zoo.results.frozen import frozen_copy


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of every pixel of one picture; arrays are copied in and read-only.

    Args:
        classes: (h, w) uint8, 0..C-1, or 255 in ground truth where a pixel has no class.
        scores: (h, w) float32, the probability of the pixel's class, or None.
        class_names: one name a class, or () where they are not known.
        palette: (red, green, blue) in 0..255, one a class; None: those of Pascal VOC.

    Raises:
        ValueError: shapes disagree, or a class has no name or no colour.
    """

    classes: np.ndarray
    scores: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    palette: tuple[Color, ...] | None = None

    def __post_init__(self) -> None:
        given = np.asarray(self.classes)
        if given.ndim != 2 or given.dtype.kind not in "iu":
            raise ValueError(
                f"classes must be (h, w) int; got {given.shape} {given.dtype}. "
                "Did you leave the batch axis in, or take scores for classes?"
            )
        if self.scores is not None:
            scores = frozen_copy(self.scores, np.float32)
            if scores.shape != given.shape:
                raise ValueError(f"scores must be {given.shape} as classes; got {scores.shape}.")
            object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        if self.palette is not None:
            object.__setattr__(self, "palette", tuple(tuple(one) for one in self.palette))
        for what, of_classes in (("class_names", self.class_names), ("palette", self.palette)):
            _check_classes(given, len(of_classes) if of_classes else VOID, what)
        object.__setattr__(self, "classes", frozen_copy(given, np.uint8))

    def name(self, label: int) -> str:
        """Return the name of a class, or its number where names are not known."""
        return self.class_names[label] if self.class_names else str(label)

    def shares(self) -> dict[int, float]:
        """Return which share of the pixels each class has that is there, the largest first."""
        labels, counts = np.unique(self.classes[self.classes != VOID], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {int(labels[one]): float(counts[one] / self.classes.size) for one in order}

    @property
    def colors(self) -> tuple[Color, ...]:
        """(red, green, blue) of each class: the palette, or Pascal VOC's for any class."""
        return self.palette or voc_colormap(VOID)

    def to_colors(self) -> np.ndarray:
        """Return (h, w, 3) uint8, every pixel in its class' colour."""
        return classes_to_colors(self.classes, self.colors)


def _check_classes(classes: np.ndarray, count: int, what: str) -> None:
    beyond = (classes != VOID) & ((classes < 0) | (classes >= count))
    if beyond.any():
        raise ValueError(
            f"classes must be 0..{count - 1} as {what} has them, or {VOID}; "
            f"got {classes[beyond].flat[0]}."
        )
