"""The roofline of a training step as SVG: the machine's ceilings, and the step under them."""

from typing import Any

from markupsafe import Markup

from flows.svg_charts import Line, line_chart

_GIGA = 1e9


def roofline_chart(roof: dict[str, Any]) -> Markup:
    """Draw operations a second over operations a byte, both logarithmic.

    Args:
        roof: `roofline` of a hardware report.
    """
    bandwidth, peak = roof["bandwidth"], roof["peak"]
    ridges = [one / bandwidth for one in roof["peaks"].values()]
    known = [*ridges, roof["intensity"], roof["forward_intensity"]]
    known = [value for value in known if value > 0]
    left, right = min(known) / 10, max(known) * 10
    ridge = peak / bandwidth
    others = [
        Line(
            f"ceiling, {dtype}", [(one / bandwidth, one / _GIGA), (right, one / _GIGA)], "faint", 7
        )
        for dtype, one in roof["peaks"].items()
        if dtype != roof["dtype"]
    ]
    points = [
        Line("limit of the step", [(roof["intensity"], roof["limit"] / _GIGA)], "dots", 2),
        Line(
            "limit of the forward pass",
            [(roof["forward_intensity"], roof["forward_limit"] / _GIGA)],
            "dots",
            4,
        ),
    ]
    if roof["achieved"] is not None:
        told = f"achieved, {100 * roof['fraction']:.0f} % of the limit"
        points.append(Line(told, [(roof["intensity"], roof["achieved"] / _GIGA)], "dots", 1))
    ceiling = [(left, left * bandwidth / _GIGA), (ridge, peak / _GIGA), (right, peak / _GIGA)]
    return line_chart(
        [
            Line(f"ceiling, {roof['dtype']}", ceiling, "strong plain", 0),
            *others,
            *points,
        ],
        title="Roofline of a training step",
        x="operations a byte",
        y="billion operations a second",
        log_x=True,
        log_y=True,
        across=(left, right),
    )
