"""The files of many shards -> COCO results, their tables, Parquet, and what was set aside.

Pictures stand in the order of the sources, numbered from 1 without those that were set aside, as
`zoo predict` numbers them. One picture is in memory at a time.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from flows.shards import Picture, Place

_ROWS_A_GROUP = 50_000  # of the Parquet file
FILES = ("predictions.json", "images.json", "predictions.parquet", "rejected.json")


def merge(pictures: Sequence[Picture], places: Mapping[str, Place], out: Path) -> dict[str, int]:
    """Write the four files, each whole or not at all.

    Args:
        pictures: all of them.
        places: where each one's results are, by key.
        out: the folder.

    Returns: how many `pictures` were answered, were `rejected`, and how many `rows` there are.
    """
    counts = {"pictures": 0, "rejected": 0, "rows": 0}
    classes = _classes(places)
    parts = [out / f"{name}.part" for name in FILES]
    with ExitStack() as stack:
        files = [stack.enter_context(part.open("w", encoding="utf-8")) for part in parts[:2]]
        rejected = stack.enter_context(parts[3].open("w", encoding="utf-8"))
        rows, images, aside = _List(files[0]), _List(files[1], '{"images": '), _List(rejected)
        table = stack.enter_context(_Table(parts[2], classes))
        for line in _results(pictures, places):
            if "reason" in line:
                counts["rejected"] += 1
                aside.add({"file_name": line["file_name"], "reason": line["reason"]})
                continue
            counts["pictures"] += 1
            counts["rows"] += len(line["rows"])
            image = {"id": counts["pictures"], "file_name": line["file_name"]}
            found = {"width": line["width"], "height": line["height"]}
            images.add(image | found | {"detections": len(line["rows"])})
            for row in line["rows"]:
                numbered = row | {"image_id": image["id"]}
                rows.add(numbered)
                table.add(numbered, line["file_name"])
        categories = [{"id": label, "name": name} for label, name in enumerate(classes)]
        rows.end()
        images.end(f', "categories": {json.dumps(categories)}}}')
        aside.end()
    for part, name in zip(parts, FILES, strict=True):
        part.replace(out / name)
    return counts


def _results(pictures: Sequence[Picture], places: Mapping[str, Place]) -> Iterator[dict]:
    """Yield the line of each picture; neighbours mostly stand in one file."""
    opened: tuple[Path, IO[bytes]] | None = None
    try:
        for picture in pictures:
            place = places[picture.key]
            if opened is None or opened[0] != place.file:
                if opened is not None:
                    opened[1].close()
                opened = (place.file, place.file.open("rb"))
            opened[1].seek(place.offset)
            yield json.loads(opened[1].readline())
    finally:
        if opened is not None:
            opened[1].close()


def _classes(places: Mapping[str, Place]) -> list[str]:
    """Return the names of the classes, which the head of every shard's file tells."""
    with next(iter(places.values())).file.open("rb") as file:
        return json.loads(file.readline())["classes"]


class _List:
    """A JSON list that is written as it grows, an element a line."""

    def __init__(self, file: IO[str], before: str = ""):
        self._file, self._between = file, f"{before}[\n"

    def add(self, element: dict) -> None:
        self._file.write(f"{self._between}{json.dumps(element)}")
        self._between = ",\n"

    def end(self, after: str = "") -> None:
        opening = self._between if self._between != ",\n" else ""
        self._file.write(f"{opening}\n]{after}\n")


class _Table:
    """The rows as Parquet, a group of them in memory at a time."""

    def __init__(self, path: Path, classes: Sequence[str]):
        import pyarrow as arrow

        self._classes = classes
        self._schema = arrow.schema(
            [
                ("image_id", arrow.int64()),
                ("file_name", arrow.string()),
                ("category_id", arrow.int64()),
                ("category", arrow.string()),
                ("score", arrow.float64()),
                ("bbox", arrow.list_(arrow.float64())),  # x, y, width, height in pixels
                ("segmentation", arrow.string()),  # JSON, COCO's run lengths
            ]
        )
        self._path = path
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any], file_name: str) -> None:
        drawn = row.get("segmentation")
        self._rows.append(
            {
                **{name: row.get(name) for name in ("image_id", "category_id", "score", "bbox")},
                "file_name": file_name,
                "category": self._classes[row["category_id"]],
                "segmentation": None if drawn is None else json.dumps(drawn),
            }
        )
        if len(self._rows) >= _ROWS_A_GROUP:
            self._flush()

    def __enter__(self) -> "_Table":
        from pyarrow.parquet import ParquetWriter

        self._writer = ParquetWriter(self._path, self._schema)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as arrow

        if self._rows:
            self._writer.write_table(arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []
