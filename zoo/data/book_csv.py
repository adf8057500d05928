"""Reader of the book's CSV layout (section 13.6): a table of boxes beside a folder of pictures.

    bananas_train/label.csv     img_name,label,xmin,ymin,xmax,ymax     pixels, a row a box
    bananas_train/images/0.png

A split is a folder with a label.csv; its name, or what follows the last _ in it, names the split.
Rows of one picture need not be neighbours, so the rows pass through a temporary database on disk. A
row with a picture alone says that nothing is in it. Class names are in a classes.txt, a line each
in the order of the labels, which may then be numbers; else they are the labels themselves, sorted.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path

from zoo.data.annotation_files import check_folder, text_lines
from zoo.data.csv_rows import COLUMNS, CsvRow, read_rows
from zoo.data.layout import (
    Defect,
    FoundObject,
    FoundPicture,
    Layout,
    picture_id,
    shown,
    split_names,
)
from zoo.data.listing import scratch_database, sorted_files, subfolders

_SCHEMA = """
    CREATE TABLE objects (picture BLOB, line INTEGER, label TEXT, box TEXT);
    CREATE TABLE pictures (picture BLOB PRIMARY KEY, line INTEGER, stem BLOB) WITHOUT ROWID;
    CREATE INDEX stems ON pictures (stem);
"""
_IN_ORDER = """
    SELECT pictures.picture, pictures.line, objects.line, label, box,
        (SELECT COUNT(*) FROM pictures AS other WHERE other.stem = pictures.stem)
    FROM pictures LEFT JOIN objects USING (picture) ORDER BY pictures.line, objects.line
"""


def open_csv(path: Path, *, class_names: Sequence[str] | None = None) -> Layout:
    """Open a data set in the book's CSV layout.

    Args:
        path: the folder that holds a folder with a label.csv for each split.
        class_names: in the order of the labels; default: those of classes.txt, else the labels.
    Raises: ValueError: there is no label.csv, or one cannot be read or lacks a column.
    """
    path = Path(path)
    check_folder(path, f"a folder with <split>/label.csv of {','.join(COLUMNS)}")
    files = _tables(path)
    names = tuple(class_names or _declared(path / "classes.txt") or _used(files.values()))
    if not names:
        raise ValueError(f"{path}: no row of a label.csv has a label.")

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        with closing(scratch_database()) as database:
            yield from _Table(files[split], names, database).pictures()

    return Layout("csv", names, tuple(files), pictures)


def _tables(path: Path) -> dict[str, Path]:
    """Split -> its label.csv."""
    folders = [folder for folder in subfolders(path) if (folder / "label.csv").is_file()]
    if not folders:
        hint = " Name the folder above." if (path / "label.csv").is_file() else ""
        raise ValueError(f"{path}: expected <split>/label.csv, a table a split; found none.{hint}")
    files = {folder.name: folder / "label.csv" for folder in folders}
    ends = [name.rpartition("_")[2] for name in files]
    if len(set(ends)) == len(files):  # bananas_train -> train
        files = dict(zip(ends, files.values(), strict=True))
    return {split: files[name] for split, name in split_names(files).items()}


def _declared(file: Path) -> list[str]:
    if not file.is_file():
        return []
    return [name for _, line in text_lines(file) if (name := line.strip())]


def _used(files) -> list[str]:
    """All labels that occur: numbers by value, then names."""
    rows = (row for file in files for row in read_rows(file) if isinstance(row, CsvRow))
    labels = {row.label for row in rows if row.label}
    numbers = [label for label in labels if label.isdecimal()]
    return sorted(numbers, key=lambda label: (int(label), label)) + sorted(labels - {*numbers})


class _Table:
    """A label.csv, its rows brought together by picture."""

    def __init__(self, file: Path, class_names: tuple[str, ...], database: sqlite3.Connection):
        self.file, self.class_names, self.database = file, class_names, database
        inside = file.parent / "images"
        self.folder = inside if inside.is_dir() else file.parent

    def pictures(self) -> Iterator[FoundPicture | Defect]:
        """Pictures in the order of their first rows, between what is wrong with rows and files."""
        yield from self._fill()
        cursor = self.database.execute(_IN_ORDER)
        for _, rows in groupby(cursor, key=lambda row: row[0]):
            yield from self._picture(list(rows))
        yield from self._unlisted()

    def _fill(self) -> Iterator[Defect]:
        self.database.executescript(_SCHEMA)
        for row in read_rows(self.file):
            if isinstance(row, Defect):
                yield row
                continue
            name = os.fsencode(row.picture)
            seen = (name, row.line, os.fsencode(picture_id(row.picture)))
            self.database.execute("INSERT OR IGNORE INTO pictures VALUES (?, ?, ?)", seen)
            if row.box is not None:
                label, box = self._class_name(row.label), " ".join(map(repr, row.box))
                values = (name, row.line, label, box)
                self.database.execute("INSERT INTO objects VALUES (?, ?, ?, ?)", values)

    def _class_name(self, label: str) -> str:
        """The name that a label means, itself where it means none: a name, or its number."""
        if label not in self.class_names and label.isdecimal() and len(label) < 10:
            number = int(label)
            return self.class_names[number] if number < len(self.class_names) else label
        return label

    def _picture(self, rows: list[tuple]) -> Iterator[FoundPicture | Defect]:
        encoded, first_line, *_, sharing = rows[0]
        name = os.fsdecode(encoded)
        objects = {}  # class and box -> object
        for _, _, line, label, box, _ in rows:
            if line is None:
                continue
            if (label, box) in objects:
                first = objects[label, box].line
                message = f"{name}: the same class and box as in line {first}; it counts once."
                yield Defect("duplicate_object", str(self.file), line, message)
                continue
            edges = tuple(map(float, box.split()))
            objects[label, box] = FoundObject(edges, label, line=line)
        image_id = picture_id(name) if sharing == 1 else name
        found, file = tuple(objects.values()), str(self.file)
        yield FoundPicture(self.folder / name, image_id, found, file, first_line)

    def _unlisted(self) -> Iterator[Defect]:
        """Pictures that no row names."""
        if self.folder == self.file.parent:
            return
        named = "SELECT 1 FROM pictures WHERE picture = ?"
        for _, name in sorted_files([self.folder]):
            inside = os.path.relpath(name, self.folder)
            if self.database.execute(named, (os.fsencode(inside),)).fetchone() is None:
                message = f"{shown(inside)} is in no row of label.csv. Is nothing in it?"
                yield Defect("unlisted_picture", name, None, message)
