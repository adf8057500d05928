"""A confusion matrix as a picture: who is taken for whom.

Shape letters: C classes, H, W the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

COUNTED = 40  # more classes than this, and the counts would not be legible


def draw_confusion(confusion: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Draw a confusion matrix: a row a true class, a column a predicted one.

    Colours are parts of a row, so that rare classes read as frequent ones do; the numbers are
    pictures.

    Args:
        confusion: (C, C) int, as `zoo.metrics.class_confusion` counts.
        class_names: C names; of several with commas the first is written.
    Returns: (H, W, 3) uint8 RGB, larger the more classes there are.
    Raises: ValueError if the matrix is not (C, C).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    confusion, count = np.asarray(confusion), len(class_names)
    if confusion.shape != (count, count):
        raise ValueError(
            f"confusion must be ({count}, {count}), as there are {count} class_names; got "
            f"{confusion.shape}."
        )
    side = 3.0 + 0.25 * count
    figure = Figure(figsize=(side, side), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    parts = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(parts, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [name.split(",")[0] for name in class_names]
    axes.set_xticks(range(count), names, rotation=90, fontsize=8)
    axes.set_yticks(range(count), names, fontsize=8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if count <= COUNTED:
        _write_counts(axes, confusion, parts)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _write_counts(axes, confusion: np.ndarray, parts: np.ndarray) -> None:
    for row, column in np.argwhere(confusion):
        ink = "white" if parts[row, column] > 0.5 else "black"
        text = str(confusion[row, column])
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)
