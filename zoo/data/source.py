"""What every data set looks like from outside: named splits of records of one shape.

Shape letters: n boxes of a picture, N pictures of a split.
A record is a dict of tensors:
    image     () string, the encoded picture (JPEG or PNG)
    image_id  () string, unique in its split
    boxes     (n, 4) float32 xyxy, fractions 0..1 of the picture
    labels    (n,) int32, 0..C-1
    crowd     (n,) bool, the box covers a group that is not counted
    area      (n,) float32, fraction of the picture's area
    height, width  () int32, pixels
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from zoo.results import Detections

RECORD_SPEC = {
    "image": tf.TensorSpec((), tf.string),
    "image_id": tf.TensorSpec((), tf.string),
    "boxes": tf.TensorSpec((None, 4), tf.float32),
    "labels": tf.TensorSpec((None,), tf.int32),
    "crowd": tf.TensorSpec((None,), tf.bool),
    "area": tf.TensorSpec((None,), tf.float32),
    "height": tf.TensorSpec((), tf.int32),
    "width": tf.TensorSpec((), tf.int32),
}


@dataclass(frozen=True)
class Inspection:
    """What one pass over a split tells: ids and box counts in stored order, and the digest."""

    image_ids: tuple[str, ...]
    box_counts: tuple[int, ...]
    digest: str


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        name: what `load_source` calls it.
        class_names: C names; a label is an index into them.
        splits: names of the splits.
        read: split -> tf.data.Dataset of records, always in the same order.
        plain: every picture is an 8-bit RGB JPEG without an orientation tag, so that TensorFlow's
            decoder gives the pixels that `read_picture` gives.
    """

    name: str
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    read: Callable[[str], tf.data.Dataset]
    plain: bool = False
    _inspections: dict[str, Inspection] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def records(self, split: str, limit: int | None = None) -> tf.data.Dataset:
        """Records of a split in stored order, the first `limit` of them if given."""
        self._check_split(split)
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be a number of records >= 1; got {limit}.")
        records = self.read(split)
        return records if limit is None else records.take(limit)

    def size(self, split: str) -> int:
        """Number of records in a split."""
        return len(self.inspect(split).image_ids)

    def digest(self, split: str) -> str:
        """sha256 (hex) over all that the records of a split hold, whatever their order."""
        return self.inspect(split).digest

    def inspect(self, split: str) -> Inspection:
        """Read a split once and remember what it holds."""
        if split not in self._inspections:
            self._inspections[split] = _inspect(self.records(split).as_numpy_iterator())
        return self._inspections[split]

    def ground_truth(
        self, split: str, limit: int | None = None
    ) -> list[tuple[str, bytes, Detections]]:
        """The split as (image_id, encoded picture, boxes in pixels), in stored order."""
        records = self.records(split, limit).as_numpy_iterator()
        return [
            (record["image_id"].decode(), record["image"], self._detections(record))
            for record in records
        ]

    def _detections(self, record: dict) -> Detections:
        height, width = int(record["height"]), int(record["width"])
        return Detections.ground_truth(
            record["boxes"] * np.array([width, height] * 2, np.float32),
            record["labels"],
            class_names=self.class_names,
            crowd=record["crowd"],
            areas=record["area"] * np.float32(height * width),
        )

    def _check_split(self, split: str) -> None:
        if split not in self.splits:
            raise ValueError(f"{self.name} has the splits {', '.join(self.splits)}; got {split!r}.")


def _inspect(records: Iterator[dict]) -> Inspection:
    fingerprints, image_ids, box_counts = [], [], []
    for record in records:
        image_ids.append(record["image_id"].decode())
        box_counts.append(len(record["labels"]))
        fingerprints.append(_fingerprint(record))
    digest = hashlib.sha256(b"".join(sorted(fingerprints))).hexdigest()
    return Inspection(tuple(image_ids), tuple(box_counts), digest)


def _fingerprint(record: dict) -> bytes:
    """sha256 over a record, every part preceded by its name and length."""
    sha = hashlib.sha256()
    for name in sorted(RECORD_SPEC):
        value = record[name]
        content = value if isinstance(value, bytes) else _little_endian(value)
        sha.update(f"{name}:{len(content)}:".encode())
        sha.update(content)
    return sha.digest()


def _little_endian(value) -> bytes:
    array = np.asarray(value)
    return array.astype(array.dtype.newbyteorder("<")).tobytes()
