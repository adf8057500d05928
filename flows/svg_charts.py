"""Charts as SVG within a page: no script, colours by the page's style sheet, all text escaped.

A line's number (`line-0`, ...) chooses its colour, which the style sheet has for light and dark. A
title within an element is what a browser shows under the pointer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from flows.svg_scales import Scale, short, spanning

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 28, 40  # what is outside the frame
COLOURS = 8  # that the style sheet has
_POINTS = 300  # of a line: more than a screen shows


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Args:
        name: for the legend.
        points: (x, y) by rising x.
        style: further classes, such as "strong", "faint" or "dots".
        number: of its colour; None: by its place among the lines.
    """

    name: str
    points: Sequence[tuple[float, float]]
    style: str = ""
    number: int | None = None


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element; an attribute's `_` is a dash, one at its end is left out."""
    told = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
    )
    inner = Markup("").join(map(escape, children))  # markup stays as it is
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), told, inner)


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    within: tuple[float, float] | None = None,
    across: tuple[float, float] | None = None,
) -> Markup:
    """Draw lines over a common axis, with a legend below where there are several.

    Args:
        lines: those without a point that can be drawn are left out.
        title: above it.
        x, y: what the axes are.
        log_x, log_y: which axes are logarithmic; what is not above 0 has no place there.
        within, across: the ends of the y and the x axis; None: of the points.
    """
    lines = [_legal(line, log_x, log_y) for line in lines]
    shown = [(number, line) for number, line in enumerate(lines) if line.points]
    points = [point for _, line in shown for point in line.points]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    if across is None:
        wide = spanning([point[0] for point in points], LEFT, right, logarithmic=log_x)
    else:
        wide = Scale(*across, LEFT, right, log_x)
    if within is None:
        heights = [point[1] for point in points]
        high = spanning(heights, bottom, TOP, logarithmic=log_y, zero=not log_y)
    else:
        high = Scale(*within, bottom, TOP, log_y)
    drawn = [_line(line, number, wide, high) for number, line in shown]
    picture = _frame(title, [*axes(wide, high, x, y), *drawn])
    named = [(number, line) for number, line in shown if line.name]
    return figure(title, picture, _legend(named) if len(named) > 1 else "")


def histogram(values: Sequence[float], *, title: str, x: str, bins: int = 20) -> Markup:
    """Draw how many values lie in each part of 0..1."""
    counts = [0] * bins
    for value in values:
        counts[min(int(max(value, 0.0) * bins), bins - 1)] += 1
    across = Scale(0.0, 1.0, LEFT, WIDTH - RIGHT)
    up = Scale(0.0, max(*counts, 1), HEIGHT - BOTTOM, TOP, whole=True)
    bars = [
        tag(
            "rect",
            tag("title", f"{number / bins:.2f} to {(number + 1) / bins:.2f}: {count}"),
            class_="bar",
            x=across(number / bins) + 1,
            y=up(count),
            width=round(across(1 / bins) - across(0) - 2, 2),
            height=round(up(0) - up(count), 2),
        )
        for number, count in enumerate(counts)
        if count
    ]
    return figure(title, _frame(title, [*axes(across, up, x, "pictures"), *bars]))


def axes(across: Scale, up: Scale, x: str, y: str) -> list[Markup]:
    """Return the grid, the numbers beside it, and what the axes are."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = []
    for value in up.ticks():
        place = up(value)
        marks.append(tag("line", class_="grid", x1=LEFT, x2=right, y1=place, y2=place))
        marks.append(tag("text", short(value), class_="end", x=LEFT - 6, y=place + 4))
    for value in across.ticks():
        place = across(value)
        marks.append(tag("line", class_="grid", x1=place, x2=place, y1=TOP, y2=bottom))
        marks.append(tag("text", short(value), class_="middle", x=place, y=bottom + 16))
    marks.append(tag("text", x, class_="end axis", x=right, y=HEIGHT - 6))
    marks.append(tag("text", y, class_="axis", x=6, y=14))
    return marks


def figure(title: str, picture: Markup, legend: Markup | str = "") -> Markup:
    """Return a picture below its title, and above what is written of it, as one figure."""
    return tag("figure", tag("h4", title), picture, legend, class_="chart")


def _frame(title: str, children: Sequence[Markup]) -> Markup:
    return tag(
        "svg",
        tag("title", title),
        *children,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
    )


def _legal(line: Line, log_x: bool, log_y: bool) -> Line:
    """Return the line without what has no place on the axes, thinned to what can be seen."""
    points = [
        (float(x), float(y))
        for x, y in line.points
        if abs(x) < float("inf") and abs(y) < float("inf")  # False for NaN
        if (x > 0 or not log_x) and (y > 0 or not log_y)
    ]
    return Line(line.name, _thinned(points), line.style, line.number)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the means of so many neighbours that no more than `_POINTS` are left."""
    size = -(-len(points) // _POINTS)
    if size <= 1:
        return points
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts
    ]


def _line(line: Line, number: int, across: Scale, up: Scale) -> Markup:
    colour = f"line-{_colour(line, number)}"
    places = [(across(x), up(y)) for x, y in line.points]
    children = []
    if len(places) > 1 and "dots" not in line.style:
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
        children.append(tag("path", d=path, class_=f"{colour} {line.style}".strip()))
    if len(places) <= 40 and "faint" not in line.style and "plain" not in line.style:
        children += [
            tag(
                "circle",
                tag("title", f"{line.name} {short(y)} at {short(x)}"),
                class_=f"{colour} dot",
                cx=place[0],
                cy=place[1],
                r=4 if "dots" in line.style or len(places) == 1 else 2.5,
            )
            for place, (x, y) in zip(places, line.points, strict=True)
        ]
    return tag("g", *children)


def _legend(named: Sequence[tuple[int, Line]]) -> Markup:
    entries = [
        tag("span", tag("i", class_=f"swatch-{_colour(line, number)}"), line.name)
        for number, line in named
    ]
    return tag("figcaption", *entries, class_="legend")


def _colour(line: Line, number: int) -> int:
    return (number if line.number is None else line.number) % COLOURS
