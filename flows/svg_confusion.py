"""A confusion matrix as SVG: a row a true class, a column a predicted one.

A cell is as strong as its part of the row, so that rare classes read as frequent ones do; what is
right and what is wrong have colours of their own.
"""

from collections.abc import Sequence

from markupsafe import Markup

from flows.svg_charts import figure, tag

SHOWN = 30  # classes; of more those with the most mistakes
_CELL = 30
_LETTER = 6.4  # width of one, in a label
_LONGEST = 20  # letters of a label
_DARK = 0.55  # from this part of a row on a cell is dark enough for light letters


def confusion_chart(
    names: Sequence[str], cells: Sequence[Sequence[int]], *, counted: str
) -> Markup:
    """Draw a confusion matrix.

    Args:
        names: of the classes.
        cells: (true, predicted, count) each; those that are missing are 0.
        counted: "objects", "pictures" or "pixels"; pixels are written as percents of the row.
    """
    shown = most_mistaken(len(names), cells)
    place = {label: number for number, label in enumerate(shown)}
    rows = [0] * len(names)
    for true, _, count in cells:
        rows[true] += count
    margin = 16 + _LETTER * max(len(_label(names[label])) for label in shown)
    side = margin + _CELL * len(shown)
    drawn = [
        _cell(names, cell, rows[cell[0]], margin, place, counted)
        for cell in cells
        if cell[0] in place and cell[1] in place
    ]
    title = f"Confusion of {counted}"
    picture = tag(
        "svg",
        tag("title", title),
        *_labels([names[label] for label in shown], margin),
        tag("g", *_grid(len(shown), margin)),
        *drawn,
        viewBox=f"0 0 {side + 4:g} {side + 4:g}",
        width=f"{side + 4:g}",
        role="img",
    )
    return figure(title, tag("div", picture, class_="scroll"))


def most_mistaken(count: int, cells: Sequence[Sequence[int]]) -> list[int]:
    """Return the classes that are drawn, in their order: all, or those with the most mistakes."""
    if count <= SHOWN:
        return list(range(count))
    mistakes = [0] * count
    for true, predicted, number in cells:
        if true != predicted:
            mistakes[true] += number
            mistakes[predicted] += number
    worst = sorted(range(count), key=lambda label: -mistakes[label])[:SHOWN]
    return sorted(worst)


def _cell(names, cell, row: int, margin: float, place: dict[int, int], counted: str) -> Markup:
    true, predicted, count = cell
    share = count / row
    x, y = margin + _CELL * place[predicted], margin + _CELL * place[true]
    written = f"{100 * share:.0f}" if counted == "pixels" else f"{count}"
    told = f"{names[true]} taken for {names[predicted]}: {count} {counted}, {share:.1%}"
    ink = "on" if share > _DARK else "off"
    return tag(
        "g",
        tag("title", told),
        tag(
            "rect",
            class_="right" if true == predicted else "wrong",
            fill_opacity=f"{0.08 + 0.92 * share:.2f}",
            x=f"{x:g}",
            y=f"{y:g}",
            width=_CELL,
            height=_CELL,
        ),
        tag("text", written, class_=f"middle {ink}", x=f"{x + _CELL / 2:g}", y=f"{y + 19:g}"),
    )


def _grid(count: int, margin: float) -> list[Markup]:
    end = margin + count * _CELL
    lines = []
    for number in range(count + 1):
        place = margin + number * _CELL
        lines.append(tag("line", class_="grid", x1=margin, x2=end, y1=place, y2=place))
        lines.append(tag("line", class_="grid", x1=place, x2=place, y1=margin, y2=end))
    return lines


def _labels(names: Sequence[str], margin: float) -> list[Markup]:
    marks = []
    for number, name in enumerate(names):
        middle = margin + _CELL * (number + 0.5)
        marks.append(tag("text", _label(name), class_="end", x=margin - 6, y=f"{middle + 4:g}"))
        turn = f"translate({middle + 4:g} {margin - 6:g}) rotate(-90)"
        marks.append(tag("text", _label(name), transform=turn))
    return marks


def _label(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
