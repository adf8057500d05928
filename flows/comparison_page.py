"""A comparison of runs as a table for the terminal, and as a page with their curves."""

from typing import Any

from flows.comparison import Comparison, Row
from flows.console import Best, note, show_table
from flows.figures import brief_names
from flows.page import Charts, Figure, Page, Section, Table, Text, render
from flows.svg_charts import COLOURS, Line, line_chart

_CURVES = (
    ("train/loss", "Training loss", "loss"),
    ("val/loss", "Validation loss", "loss"),
    ("train/learning_rate", "Learning rate", "learning rate"),
)


def show(comparison: Comparison) -> None:
    """Print the comparison; the best of each metric is bold, warnings go to stderr."""
    names = comparison.names
    whole = [row for row in comparison.metrics if "_class/" not in row.name]
    for rows, title in (
        (whole, "metric"),
        (comparison.differences, "differs in the config"),
        (comparison.timings, "measured"),
    ):
        if rows:
            show_table([title, *names], [[row.name, *_marked(row)] for row in rows])
            print()
    if not comparison.differences:
        print("the configurations are the same")
    for warning in comparison.warnings:
        note(f"warning: {warning}")


def comparison_page(comparison: Comparison) -> str:
    """Return the comparison as a page that is one file."""
    names = comparison.names
    classes = [row for row in comparison.metrics if "_class/" in row.name]
    whole = [row for row in comparison.metrics if row not in classes]
    sections = [
        Section("Figures", [Table(["metric", *names], [_cells(row) for row in whole])]),
        Section("Curves", [Charts(_charts(comparison))]),
        Section("Configuration", [_config_table(comparison)]),
        Section("Time", [Table(["", *names], [_cells(row) for row in comparison.timings])]),
    ]
    if classes:
        table = Table(["metric", *names], [_cells(row) for row in classes])
        sections.insert(1, Section("Classes", [table]))
    return render(
        Page(
            title=f"{len(names)} runs compared",
            subtitle=" · ".join(names),
            banner=" ".join(
                f"{warning[0].upper()}{warning[1:]}." for warning in comparison.warnings
            ),
            sections=sections,
        )
    )


def _config_table(comparison: Comparison) -> Table | Text:
    if not comparison.differences:
        return Text("The configurations are the same.")
    rows = [[row.name, *map(_short, row.values)] for row in comparison.differences]
    return Table(["key", *comparison.names], rows)


def _charts(comparison: Comparison) -> list:
    scores = dict.fromkeys(name for run in comparison.runs for name in brief_names(run.evaluated))
    wanted = [(f"val/{name}", name, name) for name in scores]
    wanted += list(_CURVES)
    last = max(run.last_step for run in comparison.runs) or 1
    charts = []
    for metric, title, y in wanted:
        lines = [
            Line(name, run.curve(metric), number=number % COLOURS)
            for number, (name, run) in enumerate(
                zip(comparison.names, comparison.runs, strict=True)
            )
        ]
        if any(line.points for line in lines):
            chart = line_chart(
                lines, title=title, x="step", y=y, log_y=y == "loss", across=(0.0, float(last))
            )
            charts.append(chart)
    return charts


def _cells(row: Row) -> list[object]:
    return [
        row.name,
        *(
            Figure(f"{value:.4g}") if row.best is not None and value == row.best else value
            for value in row.values
        ),
    ]


def _marked(row: Row) -> list[Any]:
    values = [_short(value) for value in row.values]
    if row.best is None:
        return values
    return [Best(value) if value == row.best else value for value in values]


def _short(value: Any) -> Any:
    """Return numbers and None as they are, all else as text."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain or value is None else str(value)
