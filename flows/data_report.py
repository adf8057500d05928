"""What `zoo data check` prints: tables of splits, classes and boxes, and a line a defect."""

from typing import Any

from flows.console import show_table

_SPREAD = {  # heading -> key
    "min": "smallest",
    "5%": "p5",
    "median": "median",
    "mean": "mean",
    "95%": "p95",
    "max": "largest",
}
_MEASURED = {
    "boxes": "boxes_per_picture",
    "size": "box_size",
    "aspect": "box_aspect",
    "width": "picture_width",
    "height": "picture_height",
}
_LEGEND = (
    "boxes: of a picture that has any; size: square root of a box's share of the picture; "
    "aspect: a box's width / height; width, height: of the pictures, pixels"
)
_GROUPS = 20  # of equal pictures that are listed


def show_report(report: dict[str, Any]) -> None:
    """Print the report of `zoo.data.check_source`."""
    _show_splits(report)
    print()
    _show_classes(report)
    print()
    _show_boxes(report)
    _show_duplicates(report["duplicates"])
    _show_defects(report)


def _show_splits(report: dict[str, Any]) -> None:
    objects = () if report["segmented"] else ("boxes", "empty_pictures", "crowds", "masks")
    columns = ("pictures", *objects)
    rows = [
        [split, *(told[column] for column in columns), told["digest"][:12]]
        for split, told in report["splits"].items()
    ]
    titles = ["split", *(column.replace("_", " ") for column in columns), "digest"]
    show_table(titles, rows, title=report["data"])


def _show_classes(report: dict[str, Any]) -> None:
    splits = report["splits"]
    if report["segmented"]:
        _show_pixels(report["class_names"], splits)
        return
    rows = [
        [name, *(told["classes"][name]["boxes"] for told in splits.values())]
        for name in report["class_names"]
    ]
    show_table(["class: boxes", *splits], rows)


def _show_pixels(class_names: list[str], splits: dict[str, Any]) -> None:
    """Shares of the pixels that belong to a class, and of all those that belong to none."""
    columns = []
    for told in splits.values():
        counts = [told["classes"][name]["pixels"] for name in class_names]
        known = sum(counts) or 1
        void = told["void_pixels"]
        columns.append(
            [*(f"{count / known:.2%}" for count in counts), f"{void / (known + void):.2%}"]
        )
    names = [*class_names, "(void)"]
    rows = [[name, *shares] for name, *shares in zip(names, *columns, strict=True)]
    show_table(["class: pixels", *splits], rows)


def _show_boxes(report: dict[str, Any]) -> None:
    rows = [
        [split, title, *(told[key][name] for name in _SPREAD.values())]
        for split, told in report["splits"].items()
        for title, key in _MEASURED.items()
        if told[key]
    ]
    show_table(["split", "of", *_SPREAD], rows)
    print(_LEGEND)


def _show_duplicates(duplicates: dict[str, Any]) -> None:
    lines = [f"{split}: {count} repeated" for split, count in duplicates["within"].items() if count]
    lines += [
        f"{count} in both {one} and {other}" for one, other, count in duplicates["between"] if count
    ]
    print(f"\nequal pictures: {'; '.join(lines) or 'none'}")
    for group in duplicates["groups"][:_GROUPS]:
        print(f"  {' = '.join(group)}")
    if len(duplicates["groups"]) > _GROUPS:
        print(f"  ... and {len(duplicates['groups']) - _GROUPS} more (--json lists them)")


def _show_defects(report: dict[str, Any]) -> None:
    print(f"\ndefects: {len(report['defects']) or 'none'}")
    for defect in report["defects"]:
        place = defect["file"] if defect["line"] is None else f"{defect['file']}:{defect['line']}"
        tail = f"[{defect['split']}, {defect['kind']}, {defect['effect']}]"
        print(f"  {place}: {defect['message']} {tail}")
