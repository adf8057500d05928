"""Losses over steps as a picture.

Shape letters: N points, H, W the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def draw_curves(steps: Sequence[int], curves: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Draw values over steps, a line each, on a logarithmic scale.

    Args:
        steps: N steps.
        curves: name -> N values; those that are not positive have no place and are left out.
    Returns: (H, W, 3) uint8 RGB.
    Raises: ValueError if a curve has not N values.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in curves.items():
        if len(values) != len(steps):
            raise ValueError(
                f"{name} must have {len(steps)} values, as there are steps; got {len(values)}."
            )
        axes.plot(steps, values, label=name)
    axes.set_yscale("log", nonpositive="mask")
    axes.set_xlabel("step")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
