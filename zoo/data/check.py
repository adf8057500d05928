"""A data set looked at from all sides: counts, classes, boxes, repeated pictures, defects.

Memory does not grow with the number of pictures.
"""

import dataclasses
import hashlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoo.colormaps import VOID
from zoo.data.class_maps import decode_class_map
from zoo.data.indexed import describe_effect
from zoo.data.source import Source
from zoo.data.statistics import Spread

_UNIONS = {"trainval": {"train", "val"}}  # Pascal VOC's; its pictures are looked at already
_GROUPS = 1000  # of equal pictures that are listed; all are counted
_NAMES = 10  # of a group


def check_source(
    source: Source,
    splits: Sequence[str] | None = None,
    *,
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> dict[str, Any]:
    """Read all of a data set that was opened with `on_defect="skip"`.

    Args:
        splits: which to look at; default: all but `trainval` where there are train and val.
        progress: called with what is under way, and how many pictures of it so far.
    Returns: plain data: `data`, `class_names`, `splits` (name -> counts, `classes`, box
        statistics, `defects` by kind), `duplicates` (equal files), `defects` (every one). Where
        the pictures are `segmented`, `classes` has pixels in the place of boxes.
    """
    splits = list(splits or _without_unions(source.splits))
    repeats, told = _Repeats(), {}
    for split in splits:
        if source.size(split):
            told[split] = _look_at(source, split, repeats, progress)
        else:
            told[split] = _counts(source).summary()
        told[split]["digest"] = source.digest(split)
        told[split]["defects"] = dict(source.skipped(split))
    return {
        "data": source.name,
        "class_names": list(source.class_names),
        "segmented": bool(source.palette),
        "splits": told,
        "duplicates": repeats.summary(splits),
        "defects": [
            {"split": split, "effect": describe_effect(defect.kind), **dataclasses.asdict(defect)}
            for split in splits
            for defect in source.defects(split)
        ],
    }


def count_records(source: Source, split: str, limit: int | None = None) -> dict[str, Any]:
    """Count what the records of a split hold, without reading pictures that are files.

    Args:
        limit: count the first N only.
    Returns: what `check_source` tells of a split, without digest and defects.
    """
    counts = _counts(source)
    for record in source.entries(split, limit).as_numpy_iterator():
        counts.add(record)
    return counts.summary()


def _without_unions(splits: Sequence[str]) -> list[str]:
    return [split for split in splits if not _UNIONS.get(split, {split, None}) <= set(splits)]


def _look_at(source: Source, split: str, repeats: "_Repeats", progress) -> dict[str, Any]:
    counts = _counts(source)
    for number, record in enumerate(source.records(split).as_numpy_iterator(), 1):
        counts.add(record)
        repeats.add(split, record["image_id"].decode(), record["image"])
        progress(f"looking at {split}", number)
    return counts.summary()


def _counts(source: Source) -> "_Split":
    return (_SegmentedSplit if source.palette else _Split)(source.class_names)


class _Split:
    """What is counted of a split."""

    def __init__(self, class_names: tuple[str, ...]):
        self.class_names = class_names
        self.pictures = self.boxes = self.crowds = self.masks = self.empty = 0
        self.boxes_of: Counter[int] = Counter()  # by label
        self.pictures_of: Counter[int] = Counter()
        self.per_picture, self.size, self.aspect = Spread(), Spread(), Spread()
        self.height, self.width = Spread(), Spread()

    def add(self, record: dict) -> None:
        labels, boxes = record["labels"], record["boxes"].astype(np.float64)
        self.pictures += 1
        self.boxes += len(labels)
        self.empty += not len(labels)
        self.crowds += int(record["crowd"].sum())
        self.masks += sum(map(bool, record["masks"]))
        self.boxes_of.update(labels.tolist())
        self.pictures_of.update(set(labels.tolist()))
        self.height.add(np.array([float(record["height"])]))
        self.width.add(np.array([float(record["width"])]))
        if len(labels):
            across, down = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
            self.per_picture.add(np.array([float(len(labels))]))
            self.size.add(np.sqrt(across * down))
            self.aspect.add(across * record["width"] / (down * record["height"]))

    def summary(self) -> dict[str, Any]:
        return {
            "pictures": self.pictures,
            "boxes": self.boxes,
            "empty_pictures": self.empty,
            "crowds": self.crowds,
            "masks": self.masks,
            "classes": {
                name: {"boxes": self.boxes_of[label], "pictures": self.pictures_of[label]}
                for label, name in enumerate(self.class_names)
            },
            "boxes_per_picture": self.per_picture.summary(),  # of pictures that have any
            "box_size": self.size.summary(),  # square root of the share of the picture
            "box_aspect": self.aspect.summary(),  # width / height in pixels
            "picture_height": self.height.summary(),
            "picture_width": self.width.summary(),
        }


class _SegmentedSplit(_Split):
    """What is counted of a split whose records have the class of every pixel."""

    def __init__(self, class_names: tuple[str, ...]):
        super().__init__(class_names)
        self.pixels = np.zeros(256, np.int64)  # by class; the last are void

    def add(self, record: dict) -> None:
        super().add(record)
        counts = np.bincount(decode_class_map(record["segmentation"]).ravel(), minlength=256)
        self.pixels += counts
        self.pictures_of.update(np.flatnonzero(counts).tolist())

    def summary(self) -> dict[str, Any]:
        classes = {
            name: {"pixels": int(self.pixels[label]), "pictures": self.pictures_of[label]}
            for label, name in enumerate(self.class_names)
        }
        return super().summary() | {"classes": classes, "void_pixels": int(self.pixels[VOID])}


class _Repeats:
    """Finds files of the same content, by sha256, in a table on the disk."""

    def __init__(self):
        self._table = sqlite3.connect("", isolation_level=None)
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute("CREATE TABLE seen (digest BLOB, split TEXT, name TEXT)")
        self._table.execute("BEGIN")

    def add(self, split: str, name: str, encoded: bytes) -> None:
        digest = hashlib.sha256(encoded).digest()
        self._table.execute("INSERT INTO seen VALUES (?, ?, ?)", (digest, split, name))

    def summary(self, splits: Sequence[str]) -> dict[str, Any]:
        """Pictures too many within each split; contents in both of two splits; who is equal."""
        self._table.execute("CREATE INDEX digests ON seen (digest)")
        within, between = self._within(), self._between()
        pairs = itertools.combinations(splits, 2)
        return {
            "within": {split: within.get(split, 0) for split in splits},
            "between": [[*pair, between.get(frozenset(pair), 0)] for pair in pairs],
            "groups": self._groups(),
        }

    def _within(self) -> dict[str, int]:
        query = "SELECT split, count(*) - count(DISTINCT digest) FROM seen GROUP BY split"
        return dict(self._table.execute(query))

    def _between(self) -> dict[frozenset, int]:
        query = """SELECT a.split, b.split, count(DISTINCT a.digest) FROM seen AS a
            JOIN seen AS b ON a.digest = b.digest AND a.split < b.split
            GROUP BY a.split, b.split"""
        return {frozenset(pair): count for *pair, count in self._table.execute(query)}

    def _groups(self) -> list[list[str]]:
        query = "SELECT digest FROM seen GROUP BY digest HAVING count(*) > 1 LIMIT ?"
        names = "SELECT split || '/' || name FROM seen WHERE digest = ? ORDER BY 1 LIMIT ?"
        digests = [digest for (digest,) in self._table.execute(query, (_GROUPS,))]
        return [
            [name for (name,) in self._table.execute(names, (digest, _NAMES))] for digest in digests
        ]
