"""The lists of a COCO annotation file as tables on the disk, joined by its ids.

The tables live in a private temporary file of SQLite's, which is gone when they are: memory does
not grow with the number of pictures. A row is the JSON that stands in the file, unchecked.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.data.json_stream import BEGIN, stream_object
from zoo.data.layout import picture_id, printable, shown

_LISTS = frozenset({"images", "annotations", "categories"})
_SCHEMA = """
CREATE TABLE images (
    seq INTEGER PRIMARY KEY, key TEXT, file TEXT, stem TEXT, line INTEGER, body TEXT);
CREATE TABLE annotations (
    seq INTEGER PRIMARY KEY, image TEXT, second INTEGER, line INTEGER, body TEXT);
CREATE TABLE annotation_ids (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX image_keys ON images (key);
CREATE INDEX image_files ON images (file);
CREATE INDEX image_stems ON images (stem);
CREATE INDEX annotation_images ON annotations (image);
"""


class Tables:
    """Pictures, annotations and categories of one file.

    Attributes:
        categories: {id: name}.
    Raises: ValueError: the file is no JSON object with the lists images, annotations and
        categories, or its categories make no classes.
    """

    def __init__(self, file: Path):
        self.file = file
        self.categories: dict[int, str] = {}
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        self._fill()
        self._database.executescript(_INDEXES)  # ends the transaction first

    def pictures(self) -> Iterator[tuple[int, Any, int | None]]:
        """(line, row, line of an earlier row with the same id or None), in the file's order."""
        query = """SELECT line, body, (SELECT earlier.line FROM images AS earlier
            WHERE earlier.key = images.key AND earlier.seq < images.seq) FROM images ORDER BY seq"""
        for line, body, earlier in self._database.execute(query):
            yield line, json.loads(body), earlier

    def annotations(self, image_id: int | str) -> Iterator[tuple[int, Any, bool]]:
        """(line, row, is its own id taken by an earlier one) of a picture, in the file's order."""
        query = "SELECT line, body, second FROM annotations WHERE image = ? ORDER BY seq"
        for line, body, second in self._database.execute(query, (_key(image_id),)):
            yield line, json.loads(body), bool(second)

    def orphans(self) -> Iterator[tuple[int, Any]]:
        """(line, row) of the annotations whose picture is not among the images."""
        query = """SELECT line, body FROM annotations WHERE image IS NULL
            OR image NOT IN (SELECT key FROM images WHERE key IS NOT NULL) ORDER BY seq"""
        for line, body in self._database.execute(query):
            yield line, json.loads(body)

    def file_names(self, count: int) -> list[str]:
        """The names of the first pictures' files."""
        query = "SELECT file FROM images WHERE file IS NOT NULL ORDER BY seq LIMIT ?"
        return [json.loads(file) for (file,) in self._database.execute(query, (count,))]

    def names_file(self, name: str) -> bool:
        """Is a picture's file called so?"""
        query = "SELECT 1 FROM images WHERE file = ?"
        return self._database.execute(query, (json.dumps(name),)).fetchone() is not None

    def shares_stem(self, file_name: str) -> bool:
        """Is there another picture whose file differs in the suffix only?"""
        query = "SELECT count(DISTINCT file) FROM images WHERE stem = ?"
        stem = json.dumps(picture_id(file_name))
        return self._database.execute(query, (stem,)).fetchone()[0] > 1

    def class_name(self, category_id: Any) -> str | None:
        """The name of a category; None where there is none of this id."""
        known = isinstance(category_id, int | str) and not isinstance(category_id, bool)
        return self.categories.get(category_id) if known else None

    def _fill(self) -> None:
        missing = set(_LISTS)
        for key, value, line in stream_object(self.file, _LISTS):
            if key not in _LISTS:
                continue
            if value is BEGIN:
                missing.discard(key)
            elif key in missing:
                raise self._error(line, f"{key} must be a list; got {shown(value)}.")
            elif key == "categories":
                self._add_category(value, line)
            elif key == "images":
                self._add_image(value, line)
            else:
                self._add_annotation(value, line)
        if missing:
            raise ValueError(
                f"{self.file}: expected the lists images, annotations and categories; got no "
                f"{' and no '.join(sorted(missing))}. Is it COCO's instances JSON?"
            )

    def _add_image(self, row: Any, line: int) -> None:
        key = file = stem = None
        if isinstance(row, dict):
            key, name = _key(row.get("id")), row.get("file_name")
            if isinstance(name, str) and name:
                file, stem = json.dumps(name), json.dumps(picture_id(name))
        self._database.execute(
            "INSERT INTO images (key, file, stem, line, body) VALUES (?, ?, ?, ?, ?)",
            (key, file, stem, line, json.dumps(row)),
        )

    def _add_annotation(self, row: Any, line: int) -> None:
        image, second = None, False
        if isinstance(row, dict):
            image, own = _key(row.get("image_id")), _key(row.get("id"))
            if own is not None:
                insert = "INSERT OR IGNORE INTO annotation_ids VALUES (?)"
                second = self._database.execute(insert, (own,)).rowcount == 0
        self._database.execute(
            "INSERT INTO annotations (image, second, line, body) VALUES (?, ?, ?, ?)",
            (image, second, line, json.dumps(row)),
        )

    def _add_category(self, row: Any, line: int) -> None:
        if not isinstance(row, dict) or not {"id", "name"} <= row.keys():
            raise self._error(line, f"a category must have id and name; got {shown(row)}.")
        key, name = row["id"], row["name"]
        if not isinstance(key, int) or isinstance(key, bool):
            raise self._error(line, f"a category's id must be a whole number; got {shown(key)}.")
        if not isinstance(name, str) or not name.strip() or name != printable(name):
            raise self._error(line, f"a category's name must be a text; got {shown(name)}.")
        if self.categories.setdefault(key, name) != name:
            raise self._error(
                line, f"category {key} is {self.categories[key]!r} already; got {name!r} too."
            )

    def _error(self, line: int, message: str) -> ValueError:
        return ValueError(f"{self.file}:{line}: {message}")


def _key(value: Any) -> str | None:
    """An id as the tables know it; 7 and "7" are two."""
    good = isinstance(value, int | str) and not isinstance(value, bool)
    return json.dumps(value) if good else None
