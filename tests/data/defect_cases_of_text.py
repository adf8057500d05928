"""Rows for the table of broken data sets: YOLO, CSV and class folders."""

from collections.abc import Callable
from pathlib import Path

from tests.data.defect_cases import Case
from tests.data.tiny_sets import picture

GOOD_ROW, ODD_ROW = "1 0.5 0.5 0.25 0.25", "0 0.25 0.25 0.25 0.25"
HEADER = "img_name,label,xmin,ymin,xmax,ymax\n"
GOOD_LINE, ODD_LINE = "good.jpg,dog,24,8,40,24\n", "odd.jpg,dog,24,8,40,24\n"


def write_yolo(folder: Path, rows: str | bytes | None, change: Callable[[Path], object]) -> tuple:
    """A YOLO set; the picture `odd` has a good object in line 1 and the rows from line 2 on."""
    for part in ("images/train", "labels/train"):
        (folder / part).mkdir(parents=True)
    for stem in ("good", "odd"):
        (folder / f"images/train/{stem}.jpg").write_bytes(picture())
    (folder / "labels/train/good.txt").write_text(f"{GOOD_ROW}\n")
    rows = rows.encode() if isinstance(rows, str) else rows
    (folder / "labels/train/odd.txt").write_bytes(ODD_ROW.encode() + b"\n" + (rows or b""))
    (folder / "data.yaml").write_text("train: images/train\nnames: [cat, dog]\n")
    change(folder)
    return "yolo", folder


def write_csv(folder: Path, rows: str | bytes, change: Callable[[Path], object]) -> tuple:
    """A CSV set; good objects of `good` and `odd` in lines 2 and 3, the rows from line 4 on."""
    (folder / "set_train/images").mkdir(parents=True)
    for stem in ("good", "odd"):
        (folder / f"set_train/images/{stem}.jpg").write_bytes(picture())
    rows = rows.encode() if isinstance(rows, str) else rows
    table = (HEADER + GOOD_LINE + ODD_LINE).encode() + rows
    (folder / "set_train/label.csv").write_bytes(table)
    (folder / "classes.txt").write_text("cat\ndog\n")
    change(folder)
    return "csv", folder


def write_class_folders(folder: Path, change: Callable[[Path], object]) -> tuple:
    """A class with the pictures `good` and `odd`, which has an object by being there."""
    (folder / "train/cat").mkdir(parents=True)
    for stem in ("good", "odd"):
        (folder / f"train/cat/{stem}.jpg").write_bytes(picture())
    change(folder)
    return "folder", folder


def _yolo(rows: str | bytes | None = None, change=lambda folder: None):
    return lambda folder: write_yolo(folder, rows, change)


def _csv(rows: str | bytes = "", change=lambda folder: None):
    return lambda folder: write_csv(folder, rows, change)


def _folders(change):
    return lambda folder: write_class_folders(folder, change)


def _listed(*lines: str):
    """Name the pictures of the YOLO set in a text list."""

    def change(folder: Path):
        (folder / "train.txt").write_text("".join(f"./images/train/{line}\n" for line in lines))
        (folder / "data.yaml").write_text("train: train.txt\nnames: [cat, dog]\n")

    return change


def _no_labels_below(folder: Path):
    """Move the odd picture to where no labels are."""
    (folder / "images/train/below").mkdir()
    (folder / "images/train/odd.jpg").rename(folder / "images/train/below/odd.jpg")
    (folder / "labels/train/odd.txt").unlink()


ROW = r"labels/train/odd\.txt:2: "
LINE = r"label\.csv:4: "

YOLO = [
    Case(
        "YOLO row of 4 values", _yolo("0 .5 .5 .5"), "malformed_line", ROW + "expected a class and"
    ),
    Case(
        "YOLO row with a score", _yolo("0 .5 .5 .5 .5 .9"), "malformed_line", ROW + ".*confidence"
    ),
    Case("YOLO row of a segment", _yolo("0 .1 .1 .5 .5 .9"), "malformed_line", ROW + ".*got 6"),
    Case("YOLO row of text", _yolo("0 .5 .5 wide .5"), "wrong_type", ROW + ".*got 'wide'"),
    Case("YOLO class by name", _yolo("cat .5 .5 .5 .5"), "wrong_type", ROW + ".*got 'cat'"),
    Case("YOLO class of a half", _yolo("0.5 .5 .5 .5 .5"), "wrong_type", ROW + ".*whole number"),
    Case(
        "YOLO class beyond names", _yolo("2 .5 .5 .5 .5"), "unknown_class", ROW + ".*0 to 1.*got 2"
    ),
    Case(
        "YOLO row in binary", _yolo(b"0 .5 \xff\xfe .5 .5"), "wrong_type", ROW + "expected numbers"
    ),
    Case("YOLO row twice", _yolo(ODD_ROW), "duplicate_object", ROW + ".*as in line 1; it counts"),
    Case(
        "YOLO box of no width", _yolo("0 .5 .5 0 .5"), "degenerate_box", ROW + "a box of no width"
    ),
    Case("YOLO box of negative width", _yolo("0 .5 .5 -.1 .5"), "inverted_box", ROW + ".*corners"),
    Case("YOLO box in pixels", _yolo("0 24 16 8 8"), "box_outside", ROW + ".*lies outside"),
    Case("YOLO box half outside", _yolo("0 0 .5 .5 .5"), "box_partly_outside", ROW + ".*clipped"),
    Case("YOLO box of NaN", _yolo("0 nan .5 .5 .5"), "nonfinite_box", ROW + ".*finite"),
    Case(
        "YOLO polygon on a line", _yolo("0 .1 .1 .5 .1 .9 .1"), "degenerate_box", ROW + "a box of"
    ),
    Case(
        "YOLO labels without a picture",
        _yolo(change=lambda folder: (folder / "images/train/odd.jpg").unlink()),
        "annotation_without_picture",
        r"odd\.txt: a label file whose picture is not there\. Was it left behind",
    ),
    Case(
        "YOLO pictures without labels",
        _yolo(change=_no_labels_below),
        "picture_without_annotation",
        r"odd\.jpg: there is no folder of labels for it, .*labels/train/below",
        id="below/odd",
    ),
    Case(
        "YOLO list that names a lost picture",
        _yolo(change=_listed("good.jpg", "lost.jpg")),
        "missing_picture",
        r"train\.txt:2: there is no picture './images/train/lost\.jpg'",
        id="",
    ),
]

CSV = [
    Case("CSV row of 5 values", _csv("odd.jpg,cat,4,6,20\n"), "malformed_line", LINE + ".*got 5"),
    Case(
        "CSV row of text", _csv("see above\n"), "malformed_line", LINE + "expected 6 values", id=""
    ),
    Case(
        "CSV value too long", _csv("x" * 140_000), "malformed_line", LINE + "no CSV: field", id=""
    ),
    Case(
        "CSV quote that is not closed",
        _csv('odd.jpg,"cat,4,6,20,30\nodd.jpg,cat,4,6,20,30\n'),
        "malformed_line",
        r"label\.csv:\d+: a value that goes on in the next line\. Is a quote not closed",
    ),
    Case(
        "CSV row without a picture",
        _csv(",cat,4,6,20,30\n"),
        "missing_key",
        LINE + "a row without the",
        id="",
    ),
    Case(
        "CSV box in words",
        _csv("odd.jpg,cat,left,6,20,30\n"),
        "wrong_type",
        LINE + "xmin must.*'left'",
    ),
    Case(
        "CSV box in part",
        _csv("odd.jpg,cat,4,6,20,\n"),
        "wrong_type",
        LINE + "ymax must be a number; got ''",
    ),
    Case(
        "CSV label in Latin-1",
        _csv(b"odd.jpg,caf\xe9,4,6,20,30\n"),
        "wrong_type",
        LINE + "a label must be UTF-8",
    ),
    Case(
        "CSV row without a label",
        _csv("odd.jpg,,4,6,20,30\n"),
        "missing_class",
        LINE + "an object without",
    ),
    Case(
        "CSV label beyond classes.txt",
        _csv("odd.jpg,2,4,6,20,30\n"),
        "unknown_class",
        LINE + "the class '2'",
    ),
    Case(
        "CSV row twice",
        _csv(ODD_LINE),
        "duplicate_object",
        LINE + "odd.jpg: the same class and box as in line 3",
    ),
    Case(
        "CSV box of no height",
        _csv("odd.jpg,cat,4,6,20,6\n"),
        "degenerate_box",
        LINE + "a box of no width or",
    ),
    Case(
        "CSV box in fractions upside down",
        _csv("odd.jpg,cat,4,30,20,6\n"),
        "inverted_box",
        LINE + ".*Swapped",
    ),
    Case(
        "CSV box outside", _csv("odd.jpg,cat,50,6,60,20\n"), "box_outside", LINE + ".*lies outside"
    ),
    Case(
        "CSV box of infinity", _csv("odd.jpg,cat,4,6,inf,20\n"), "nonfinite_box", LINE + ".*finite"
    ),
    Case(
        "CSV rows of a picture that is not there",
        _csv(change=lambda folder: (folder / "set_train/images/odd.jpg").unlink()),
        "annotation_without_picture",
        r"label\.csv:3: odd: ",
    ),
    Case(
        "CSV picture in no row",
        _csv(change=lambda folder: (folder / "set_train/images/new.jpg").write_bytes(picture())),
        "unlisted_picture",
        r"new\.jpg: 'new\.jpg' is in no row of label\.csv\. Is nothing in it",
        id="",
    ),
]

FOLDERS = [
    Case(
        "text in a class's folder",
        _folders(lambda folder: (folder / "train/cat/odd.jpg").write_text("notes")),
        "not_a_picture",
        r"odd\.jpg: no picture that can be read",
        id="cat/odd",
    ),
    Case(
        "a picture in no class's folder",
        _folders(lambda folder: (folder / "train/new.jpg").write_bytes(picture())),
        "missing_class",
        r"new\.jpg: a picture in no class's folder\. Move it into one",
        id="",
    ),
    Case(
        "a class without pictures",
        _folders(lambda folder: (folder / "train/dog").mkdir()),
        "empty_class",
        r"dog: a class without a picture",
        id="",
    ),
]

TEXT_CASES = [*YOLO, *CSV, *FOLDERS]
