"""The index of a split: its records without the pictures' bytes, made once and kept.

    <cache>/index/voc-BCCD-3f2a.../train-<state>.tfrecord   the records; pictures by their paths
                                   train-<state>.defects    a JSON line for each defect
                                   train-<state>.json       what `Inspection` tells; written last

Making it decodes every picture to its end. Where the JSON is, the others are whole: a process
that is killed leaves parts, which the next one clears away. Memory does not grow with the number
of pictures.
"""

import dataclasses
import json
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import tensorflow as tf

from zoo.data.inspection import Inspection, Tally
from zoo.data.judge import JudgedPicture, judge_picture
from zoo.data.layout import Defect, FoundPicture, Layout, printable
from zoo.data.picture_handles import bytes_handle, path_handle

Progress = Callable[[str, int], None]  # what is under way, pictures so far

_AHEAD = 16  # pictures in hand at once, some 100 kB each
_SECONDS = 5.0  # between two lines in the log
_FEATURES = {
    "image": tf.io.FixedLenFeature((), tf.string),
    "image_id": tf.io.FixedLenFeature((), tf.string),
    "boxes": tf.io.FixedLenSequenceFeature((4,), tf.float32, allow_missing=True),
    "labels": tf.io.FixedLenSequenceFeature((), tf.int64, allow_missing=True),
    "crowd": tf.io.FixedLenSequenceFeature((), tf.int64, allow_missing=True),
    "area": tf.io.FixedLenSequenceFeature((), tf.float32, allow_missing=True),
    "height": tf.io.FixedLenFeature((), tf.int64),
    "width": tf.io.FixedLenFeature((), tf.int64),
    "masks": tf.io.FixedLenSequenceFeature((), tf.string, allow_missing=True),
    "segmentation": tf.io.FixedLenFeature((), tf.string),
}

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SplitIndex:
    """The files of a split's index.

    Args:
        folder: of the data set in the cache.
        split: its name.
        state: of the data set's files, as `zoo.data.cache.state_of` gives it.
    """

    folder: Path
    split: str
    state: str

    @property
    def records_file(self) -> Path:
        """TFRecord."""
        return self._file("tfrecord")

    @property
    def defects_file(self) -> Path:
        """JSON lines."""
        return self._file("defects")

    def inspection(self) -> Inspection | None:
        """What the split holds; None where the index is not there or not whole."""
        try:
            told = json.loads(self._file("json").read_text(encoding="utf-8"))
            whole = self.records_file.stat().st_size == told.pop("bytes")
        except (OSError, ValueError, KeyError):
            return None
        counts = {int(label): count for label, count in told.pop("label_counts").items()}
        return Inspection(**told, label_counts=counts) if whole else None

    def records(self) -> tf.data.Dataset:
        """Records in stored order; `image` is a handle, see `zoo.data.picture_handles`."""
        return tf.data.TFRecordDataset(os.fspath(self.records_file)).map(_parse)

    def defects(self) -> Iterator[Defect]:
        """Every defect, in the order they were met."""
        with self.defects_file.open(encoding="utf-8") as lines:
            for line in lines:
                yield Defect(**json.loads(line))

    def make(self, layout: Layout, name: str, progress: Progress | None = None) -> Inspection:
        """Read all of the split and write the files; the caller holds the folder's lock."""
        for part in self.folder.glob("*.part"):
            part.unlink()
        tally, report = Tally(), _Reporter(f"{name}@{self.split}", progress)
        records, defects = _part(self.records_file), _part(self.defects_file)
        with (
            tf.io.TFRecordWriter(os.fspath(records)) as writer,
            defects.open("w", encoding="utf-8") as lines,
        ):
            for outcome in _without_repeats(_judged(layout, self.split)):
                if isinstance(outcome, JudgedPicture):
                    writer.write(_serialize(outcome, tally))
                for defect in _defects_of(outcome):
                    tally.defects[defect.kind] += 1
                    lines.write(json.dumps(dataclasses.asdict(defect)) + "\n")
                report.advance(not isinstance(outcome, Defect))
        return self._publish(tally.result(), records, defects)

    def _publish(self, inspection: Inspection, records: Path, defects: Path) -> Inspection:
        told = dataclasses.asdict(inspection) | {"bytes": records.stat().st_size}
        summary = _part(self._file("json"))
        summary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        records.replace(self.records_file)
        defects.replace(self.defects_file)
        summary.replace(self._file("json"))
        return inspection

    def _file(self, suffix: str) -> Path:
        return self.folder / f"{quote(self.split, safe='')}-{self.state}.{suffix}"


def _part(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")


def _judged(layout: Layout, split: str) -> Iterator[JudgedPicture | Defect | tuple[Defect, ...]]:
    """What the reader finds, judged on all cores, in its order."""
    label_of = {name: label for label, name in enumerate(layout.class_names)}
    with ThreadPoolExecutor(os.cpu_count()) as judges:

        def begin(found: FoundPicture | Defect):
            judging = isinstance(found, FoundPicture)
            return (
                judges.submit(judge_picture, found, label_of).result if judging else lambda: found
            )

        pending = deque()
        for found in layout.pictures(split):
            pending.append(begin(found))
            if len(pending) > _AHEAD:
                yield pending.popleft()()
        while pending:
            yield pending.popleft()()


def _without_repeats(outcomes: Iterable) -> Iterator:
    """Put a defect in the place of a picture whose id the split has already."""
    seen = sqlite3.connect("", check_same_thread=False, isolation_level=None)  # on the disk
    seen.execute("PRAGMA journal_mode = OFF")
    seen.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")
    seen.execute("BEGIN")
    for outcome in outcomes:
        if isinstance(outcome, JudgedPicture):
            found = outcome.found
            insert = "INSERT OR IGNORE INTO ids VALUES (?)"
            if seen.execute(insert, (printable(found.image_id),)).rowcount == 0:
                message = f"{found.image_id} is in the split already. Name it once."
                yield Defect("duplicate_id", found.file, found.line, message)
                continue
        yield outcome
    seen.close()


def _defects_of(outcome) -> tuple[Defect, ...]:
    if isinstance(outcome, Defect):
        return (outcome,)
    return outcome.defects if isinstance(outcome, JudgedPicture) else outcome


def _serialize(picture: JudgedPicture, tally: Tally) -> bytes:
    """Count the record of a picture, and encode it with a handle in the picture's place."""
    found, objects = picture.found, picture.objects
    record = {
        "image": picture.encoded,
        "image_id": printable(found.image_id).encode(),
        "boxes": np.array([thing.box for thing in objects], np.float32).reshape(-1, 4),
        "labels": np.array([thing.label for thing in objects], np.int32),
        "crowd": np.array([thing.crowd for thing in objects], bool),
        "area": np.array([thing.area for thing in objects], np.float32),
        "height": np.int32(picture.size[0]),
        "width": np.int32(picture.size[1]),
        "masks": np.array([thing.mask for thing in objects], object),
        "segmentation": picture.segmentation,
    }
    tally.add(record)
    by_path = isinstance(found.image, Path)
    handle = path_handle(found.image) if by_path else bytes_handle(picture.encoded)
    features = {name: _feature(value) for name, value in record.items()}
    features["image"] = _feature(handle)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def _feature(value) -> tf.train.Feature:
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    flat = value.ravel().tolist()
    if value.dtype.kind == "O":
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=flat))
    if value.dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=flat))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=list(map(int, flat))))


def _parse(serialized) -> dict:
    record = tf.io.parse_single_example(serialized, _FEATURES)
    for name in ("labels", "height", "width"):
        record[name] = tf.cast(record[name], tf.int32)
    return record | {"crowd": tf.cast(record["crowd"], tf.bool)}


class _Reporter:
    """Says now and then how far it is."""

    def __init__(self, name: str, progress: Progress | None):
        self.name, self.progress = name, progress
        self.pictures, self.told = 0, time.monotonic()

    def advance(self, count: int) -> None:
        self.pictures += count
        if self.progress is not None:
            self.progress(f"reading {self.name}", self.pictures)
        if time.monotonic() - self.told > _SECONDS:
            self.told = time.monotonic()
            logger.info("read %d pictures of %s so far", self.pictures, self.name)
