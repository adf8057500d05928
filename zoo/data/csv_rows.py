"""The rows of a label.csv in the book's layout, one after another, each checked by itself."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.data.annotation_files import why_not
from zoo.data.layout import Defect, shown

COLUMNS = ("img_name", "label", "xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class CsvRow:
    """A row: a box of a picture or, where box is None, a picture alone."""

    picture: str
    line: int
    label: str = ""
    box: tuple[float, float, float, float] | None = None


def read_rows(file: Path) -> Iterator[CsvRow | Defect]:
    """Read a table whose first line names the columns, in any order and among others.

    Raises: ValueError: the file cannot be read, or lacks a column.
    """
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            reader = csv.reader(text)
            places = _places(file, next(_lines(file, reader), []))
            for fields in _lines(file, reader):
                if isinstance(fields, Defect):
                    yield fields
                elif any(field.strip() for field in fields):
                    yield _row(file, reader.line_num, fields, places)
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {why_not(error)}.") from None


def _lines(file: Path, reader) -> Iterator[list[str] | Defect]:
    """The rows of a reader; where one is broken the next may be whole."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # such as a quote that is never closed
            yield Defect("malformed_line", str(file), reader.line_num, f"no CSV: {error}.")


def _places(file: Path, header: list[str] | Defect) -> tuple[int, ...]:
    """Where the columns are."""
    names = [] if isinstance(header, Defect) else [name.strip().lower() for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(
            f"{file}:1: expected the columns {','.join(COLUMNS)}; {', '.join(missing)} missing in "
            f"{shown(','.join(names))}. Is the first line the columns' names?"
        )
    return tuple(names.index(name) for name in COLUMNS)


def _row(file: Path, line: int, fields: list[str], places: tuple[int, ...]) -> CsvRow | Defect:
    if any("\n" in field for field in fields):
        message = "a value that goes on in the next line. Is a quote not closed?"
        return Defect("malformed_line", str(file), line, message)
    if len(fields) <= max(places):
        message = f"expected {max(places) + 1} values; got {len(fields)}."
        return Defect("malformed_line", str(file), line, message)
    name, label, *edges = (fields[place].strip() for place in places)
    if not name or "\0" in name:
        return Defect("missing_key", str(file), line, "a row without the name of a picture.")
    if not label and not any(edges):
        return CsvRow(name, line)
    for column, edge in zip(COLUMNS[2:], edges, strict=True):
        if not _is_number(edge):
            message = f"{column} must be a number; got {shown(edge)}."
            return Defect("wrong_type", str(file), line, message)
    if not _is_text(label):
        message = f"a label must be UTF-8; got {shown(label)}."
        return Defect("wrong_type", str(file), line, message)
    left, top, right, bottom = map(float, edges)
    return CsvRow(name, line, label, (left, top, right, bottom))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_text(label: str) -> bool:
    """Was it decoded without surrogates?"""
    return not any("\ud800" <= letter <= "\udfff" for letter in label)
