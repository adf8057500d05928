"""The parts of a report that tell of the answers: curves, confusion, classes, pictures."""

from pathlib import Path

from flows.figures import class_figures
from flows.page import Charts, Gallery, Picture, Table, Text, data_uri
from flows.run_facts import RunFacts
from flows.run_folder import PICTURES
from flows.svg_charts import Line, histogram, line_chart
from flows.svg_confusion import SHOWN, confusion_chart

Blocks = list[Table | Charts | Text | Gallery]
_NAMED = 7  # classes whose curves have a colour; the others are faint
_MANY = 60  # classes, beyond which a table is folded
_LARGEST = 200_000  # bytes of a picture: what is larger was not drawn for a report
_TITLES = {
    "boxes": "Boxes, IoU .5",
    "masks": "Masks, IoU .5",
    "classes": "Each class against all others",
}


def precision_recall(facts: RunFacts) -> Blocks:
    """Return a chart for each kind of overlap."""
    charts = [
        _curves_chart(_TITLES.get(kind, kind), curves)
        for kind, curves in facts.details.get("curves", {}).items()
        if curves
    ]
    if not charts:
        return []
    several = any(len(curves) > 1 for curves in facts.details["curves"].values())
    note = "Areas under the curves in brackets." if several else ""
    if point := facts.details.get("point"):
        note += (
            f" F1 is highest, {point['f1']:.3f}, from a score of {point['score']:.3f} on: "
            f"precision {point['precision']:.3f}, recall {point['recall']:.3f} over all classes. "
            "That score was chosen on these pictures, so it flatters a little."
        )
    return [Charts(charts, note.strip())]


def confusion(facts: RunFacts) -> Blocks:
    """Return the matrix, rows being true classes."""
    details = facts.details
    if not details.get("confusion"):
        return []
    counted, names = details["counted"], details["names"]
    numbers = "percents of the row" if counted == "pixels" else counted
    note = f"Rows are true classes, columns what they were taken for; numbers are {numbers}."
    if point := details.get("point"):
        note += (
            f" Of detections from a score of {point['score']:.3f} on, at an IoU of .5: the last "
            "column is of objects that nothing found, the last row of detections on no object."
        )
    if len(names) > SHOWN:
        note += f" Of {len(names)} classes the {SHOWN} with the most mistakes."
    return [Charts([confusion_chart(names, details["confusion"], counted=counted)], note)]


def classes(facts: RunFacts) -> Blocks:
    """Return a row a class with every figure of it."""
    rows = {row["class"]: row for row in facts.details.get("rows", [])}
    for figure, values in class_figures(facts.metrics, least=1).items():
        if figure != "accuracy":  # the recall, by classification's name
            for name, value in values.items():
                rows.setdefault(name, {}).setdefault(figure, value)
    columns = dict.fromkeys(column for row in rows.values() for column in row if column != "class")
    table = [[name, *(_known(row.get(column)) for column in columns)] for name, row in rows.items()]
    if not table:
        return []
    folded = len(table) > _MANY
    caption = f"{len(table)} classes" if folded else ""
    return [Table(["class", *columns], table, caption=caption, folded=folded)]


def pictures(facts: RunFacts) -> Blocks:
    """Return how well pictures were answered, and those that were answered worst and best."""
    details = facts.details
    if "problem" in details:
        return [Text(f"The details could not be worked out: {details['problem']}")]
    if not details.get("pictures"):
        return []
    quality = details["quality"]
    blocks: Blocks = []
    if len(details["qualities"]) > 1:
        chart = histogram(details["qualities"], title="How well pictures were answered", x=quality)
        blocks.append(Charts([chart]))
    for group, title in (("worst", "Answered worst"), ("best", "Answered best")):
        shown = [one for one in details["pictures"] if one["group"] == group]
        if shown:
            folder = facts.folder.report_data / PICTURES
            blocks.append(Gallery(title, [_picture(one, folder) for one in shown]))
    return blocks


def _curves_chart(title: str, curves: list[dict]):
    """Draw the classes with the most objects in colours, the others faintly, the mean strongly."""
    ordered = sorted(curves, key=lambda curve: -curve["count"])
    lines = [_class_line(curve, place) for place, curve in enumerate(ordered, start=1)]
    if len(curves) == 1:
        lines = [_class_line(curves[0], 0)]
        title = f"{title}: {curves[0]['ap']:.3f} below the curve"
    else:
        columns = zip(*(curve["precision"] for curve in curves), strict=True)
        mean = [sum(column) / len(curves) for column in columns]
        area = sum(curve["ap"] for curve in curves) / len(curves)
        name = f"mean of {len(curves)} classes ({area:.3f})"
        lines.append(Line(name, _points(mean), "strong plain", 0))
    return line_chart(
        lines, title=title, x="recall", y="precision", within=(0.0, 1.0), across=(0.0, 1.0)
    )


def _class_line(curve: dict, number: int) -> Line:
    points = _points(curve["precision"])
    if number > _NAMED:
        return Line("", points, "faint", _NAMED)
    return Line(f"{curve['name']} ({curve['ap']:.3f})", points, "plain", number)


def _points(precision: list[float]) -> list[tuple[float, float]]:
    return [(index / (len(precision) - 1), value) for index, value in enumerate(precision)]


def _known(value):
    """Return the value, None where it says that there was nothing to score."""
    return None if isinstance(value, int | float) and value < 0 else value


def _picture(told: dict, folder: Path) -> Picture:
    files = {
        caption: folder / Path(name).name  # within the folder, whatever the file says
        for caption, name in told["panels"].items()
    }
    return Picture(
        title=told["image_id"],
        told=f"{told['quality']:.3f} · {told['told']}",
        panels={
            caption: data_uri(file)
            for caption, file in files.items()
            if file.exists() and file.stat().st_size <= _LARGEST
        },
    )
