"""The roofline as a picture: a machine's ceilings, and a piece of work under them.

Shape letters: H, W the picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_GIGA = 1e9


def draw_roofline(
    peaks: Mapping[str, float],
    bandwidth: float,
    points: Mapping[str, tuple[float, float | None, float]],
    *,
    dtype: str,
    title: str = "",
) -> np.ndarray:
    """Draw operations a second over operations a byte, both on logarithmic scales.

    Args:
        peaks: dtype -> operations a second, a ceiling each.
        bandwidth: bytes a second, the slope on the left.
        points: name -> (operations a byte, operations a second that were achieved or None, those
            that the ceilings allow); the limit is a ring, what was achieved a dot below it.
        dtype: whose ceiling bounds the points; it is drawn strong.
        title: above the picture.
    Returns: (H, W, 3) uint8 RGB.
    Raises: ValueError if `dtype` has no ceiling.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if dtype not in peaks:
        raise ValueError(f"dtype must be one of {', '.join(peaks)}; got {dtype!r}")
    figure = Figure(figsize=(8.0, 5.0), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    left, right = _span(peaks, bandwidth, points)
    for name in sorted(peaks, key=lambda name: -peaks[name]):
        _draw_ceiling(axes, name, peaks[name], bandwidth, (left, right), strong=name == dtype)
    for number, (name, point) in enumerate(points.items()):
        _draw_point(axes, name, point, color=f"C{number + 3}", marker="os^Dv"[number % 5])
    axes.set(xscale="log", yscale="log", xlim=(left, right), title=title)
    axes.set_xlabel("arithmetic intensity, operations a byte")
    axes.set_ylabel("billions of operations a second")
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(loc="lower right", fontsize="small")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _span(peaks, bandwidth, points) -> tuple[float, float]:
    """Return the intensities at the picture's edges: all ridges and points, and some room."""
    known = [peak / bandwidth for peak in peaks.values()]
    known += [intensity for intensity, _, _ in points.values() if intensity > 0]
    return min(known) / 10, max(known) * 10


def _draw_ceiling(axes, name, peak, bandwidth, span, *, strong):
    ridge = peak / bandwidth
    line = {"color": "black" if strong else "0.55", "linewidth": 2.0 if strong else 1.0}
    axes.plot([ridge, span[1]], [peak / _GIGA] * 2, linestyle="-" if strong else "--", **line)
    axes.annotate(
        f"{name} {peak / _GIGA:.3g} G/s",
        (span[1], peak / _GIGA),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color=line["color"],
    )
    if strong:
        start = span[0] * bandwidth / _GIGA
        label = f"memory, {bandwidth / _GIGA:.3g} GB/s"
        axes.plot([span[0], ridge], [start, peak / _GIGA], label=label, **line)
        axes.axvline(ridge, color="0.8", linewidth=1.0, linestyle=":", label=f"ridge, {ridge:.3g}")


def _draw_point(axes, name, point, *, color, marker):
    intensity, achieved, limit = point
    if intensity <= 0:  # no operations: it has no place on a logarithmic scale
        return
    ring = {"marker": marker, "linestyle": "", "color": color}
    axes.plot(intensity, limit / _GIGA, mfc="none", label=f"{name}: limit", **ring)
    if achieved is not None:
        axes.plot([intensity] * 2, [achieved / _GIGA, limit / _GIGA], ":", color=color)
        text = f"{name}: {achieved / _GIGA:.3g} G/s, {100 * achieved / limit:.0f} % of the limit"
        axes.plot(intensity, achieved / _GIGA, label=text, **ring)
