"""What one pass over a split tells of it, in constant memory.

Shape letters: n boxes of a picture.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from zoo.colormaps import VOID
from zoo.data.class_maps import decode_class_map


@dataclass(frozen=True)
class Inspection:
    """What a split holds.

    Attributes:
        size: number of records.
        boxes: of all records together.
        most_boxes, most_boxes_in: of one record, and its image_id; 0 and "" of an empty split.
        digest: 64 hex digits over all that the records hold, whatever their order.
        label_counts: label -> boxes; of segmented pictures pixels.
        defects: kind -> how many; see `zoo.data.defects`.
    """

    size: int
    boxes: int
    most_boxes: int
    most_boxes_in: str
    digest: str
    label_counts: Mapping[int, int]
    defects: Mapping[str, int] = field(default_factory=dict)


class Tally:
    """Takes the records of a split, one after another.

    The digest is the sum of the records' sha256 modulo 2**256: no order matters, and nothing is
    kept but the sum.
    """

    def __init__(self):
        self.size = self.boxes = self.most_boxes = self._sum = 0
        self.most_boxes_in = ""
        self.label_counts: Counter[int] = Counter()
        self.defects: Counter[str] = Counter()

    def add(self, record: Mapping) -> None:
        """Count a record, its parts as NumPy has them."""
        count = len(record["labels"])
        self.size += 1
        self.boxes += count
        class_map = decode_class_map(record["segmentation"]) if record.get("segmentation") else None
        if class_map is None:
            self.label_counts.update(np.asarray(record["labels"]).tolist())
        else:
            self.label_counts.update(_pixels(class_map))
        if count > self.most_boxes:
            self.most_boxes, self.most_boxes_in = count, record["image_id"].decode()
        self._sum += int.from_bytes(_fingerprint(record, class_map))

    def result(self) -> Inspection:
        """Return what was found so far."""
        return Inspection(
            size=self.size,
            boxes=self.boxes,
            most_boxes=self.most_boxes,
            most_boxes_in=self.most_boxes_in,
            digest=f"{self._sum % 2**256:064x}",
            label_counts=dict(sorted(self.label_counts.items())),
            defects=dict(sorted(self.defects.items())),
        )


def inspect_records(records: Iterable[Mapping]) -> Inspection:
    """Pass over the records of a split once."""
    tally = Tally()
    for record in records:
        tally.add(record)
    return tally.result()


def _pixels(class_map: np.ndarray) -> dict[int, int]:
    """Label -> pixels, without those of no class."""
    labels, counts = np.unique(class_map[class_map != VOID], return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def _fingerprint(record: Mapping, class_map: np.ndarray | None) -> bytes:
    """sha256 over a record, every part preceded by its name and length.

    Of a class map its pixels count, since libraries compress alike what is equal, but not into the
    same bytes; where there is none, nothing does.
    """
    sha = hashlib.sha256()
    for name in sorted(record):
        if name == "segmentation" and class_map is None:
            continue
        content = _content(class_map if name == "segmentation" else record[name])
        sha.update(f"{name}:{len(content)}:".encode())
        sha.update(content)
    return sha.digest()


def _content(value) -> bytes:
    """The bytes of a part: of text as they are, of numbers little-endian."""
    if isinstance(value, bytes):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "O" or array.dtype.kind == "S":  # (n,) texts, each after its length
        return b"".join(f"{len(text)}:".encode() + text for text in array.tolist())
    return array.astype(array.dtype.newbyteorder("<")).tobytes()
