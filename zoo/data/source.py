"""What every data set looks like from outside: named splits of records of one shape.

Shape letters: n boxes of a picture, N pictures of a split.
A record is a dict of tensors:
    image     () string, the encoded picture (JPEG or PNG)
    image_id  () string, unique in its split
    boxes     (n, 4) float32 xyxy, fractions 0..1 of the picture
    labels    (n,) int32, 0..C-1
    crowd     (n,) bool, the box covers a group that is not counted
    area      (n,) float32, fraction of the picture's area
    masks     (n,) string, COCO's compressed run lengths at (height, width); empty where there is
              no mask
    height, width  () int32, pixels
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from zoo.colormaps import Color
from zoo.data.class_maps import decode_class_map
from zoo.data.inspection import Inspection, inspect_records
from zoo.data.layout import CocoIds, Defect
from zoo.results import Detections
from zoo.run_lengths import RunLengths

RECORD_SPEC = {
    "image": tf.TensorSpec((), tf.string),
    "image_id": tf.TensorSpec((), tf.string),
    "boxes": tf.TensorSpec((None, 4), tf.float32),
    "labels": tf.TensorSpec((None,), tf.int32),
    "crowd": tf.TensorSpec((None,), tf.bool),
    "area": tf.TensorSpec((None,), tf.float32),
    "height": tf.TensorSpec((), tf.int32),
    "width": tf.TensorSpec((), tf.int32),
    "masks": tf.TensorSpec((None,), tf.string),
    "segmentation": tf.TensorSpec((), tf.string),
}


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        name: what `load_source` calls it, or FORMAT:PATH.
        class_names: C names; a label is an index into them.
        splits: names of the splits.
        read: split -> tf.data.Dataset of records, always in the same order. Where there is a
            `fetch`, their `image` is a handle of the picture.
        plain: every picture is an 8-bit RGB JPEG without an orientation tag, so that TensorFlow's
            decoder gives the pixels that `read_picture` gives.
        fetch: handle () string -> encoded picture () string; None: `read` gives the picture.
        inspect_split: tells what a split holds without reading its pictures, where that is known.
        read_defects: split -> every defect of it.
        coco_ids: split -> the ids of its COCO file; None: it has no such file.
        palette: colours to paint the classes in, one a class, where the records are segmented
            pictures; (): they have objects.
    """

    name: str
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    read: Callable[[str], tf.data.Dataset]
    plain: bool = False
    fetch: Callable[[tf.Tensor], tf.Tensor] | None = None
    inspect_split: Callable[[str], Inspection] | None = None
    read_defects: Callable[[str], Iterator[Defect]] | None = None
    coco_ids: Callable[[str], CocoIds] | None = None
    palette: tuple[Color, ...] = ()
    _inspections: dict[str, Inspection] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def records(self, split: str, limit: int | None = None) -> tf.data.Dataset:
        """Records of a split in stored order, the first `limit` of them if given."""
        entries = self.entries(split, limit)
        if self.fetch is None:
            return entries
        return entries.map(lambda entry: entry | {"image": self.fetch(entry["image"])})

    def entries(self, split: str, limit: int | None = None) -> tf.data.Dataset:
        """Records whose `image` is what `load_picture` takes: small, where pictures are files."""
        self._check_split(split)
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be a number of records >= 1; got {limit}.")
        entries = self.read(split)
        return entries if limit is None else entries.take(limit)

    def load_picture(self, image: tf.Tensor) -> tf.Tensor:
        """The encoded picture () string of an entry's `image` () string."""
        return image if self.fetch is None else self.fetch(image)

    def size(self, split: str) -> int:
        """Number of records in a split."""
        return self.inspect(split).size

    def digest(self, split: str) -> str:
        """64 hex digits over all that the records of a split hold, whatever their order."""
        return self.inspect(split).digest

    def skipped(self, split: str) -> Mapping[str, int]:
        """Kind of defect -> how often it was met; `zoo.data.defects` says what came of each."""
        return {} if self.inspect_split is None else self.inspect(split).defects

    def defects(self, split: str) -> Iterator[Defect]:
        """Every defect of a split, in the order they were met."""
        self._check_split(split)
        return iter(()) if self.read_defects is None else self.read_defects(split)

    def inspect(self, split: str) -> Inspection:
        """What a split holds; read once where nobody knows."""
        self._check_split(split)
        if split not in self._inspections:
            told = self.inspect_split or self._read_through
            self._inspections[split] = told(split)
        return self._inspections[split]

    def ground_truth(
        self, split: str, limit: int | None = None, *, masks: bool = False
    ) -> Iterator[tuple[str, bytes, Detections]]:
        """The split as (image_id, encoded picture, objects in pixels), in stored order.

        One picture is in memory at a time.

        Args:
            limit: take the first N records only.
            masks: give the objects' masks too, where a picture has any.
        """
        for record in self.records(split, limit).as_numpy_iterator():
            truth = self._detections(record, masks=masks)
            yield record["image_id"].decode(), record["image"], truth

    def class_truth(self, split: str, limit: int | None = None) -> Iterator[tuple[str, bytes, int]]:
        """The split as (image_id, encoded picture, label), in stored order, one at a time.

        Args:
            limit: take the first N records only.
        Raises: ValueError: a picture has not one label.
        """
        for image_id, picture, truth in self.ground_truth(split, limit):
            if len(truth) != 1:
                raise ValueError(
                    f"{self.name}@{split} picture {image_id} has {len(truth)} objects; a "
                    "classifier takes pictures of one class. Is it a detection data set?"
                )
            yield image_id, picture, int(truth.labels[0])

    def semantic_truth(
        self, split: str, limit: int | None = None
    ) -> Iterator[tuple[str, bytes, np.ndarray]]:
        """The split as (image_id, encoded picture, class map), in stored order.

        A class map is (height, width) uint8, the class of every pixel of the upright picture,
        0..C-1 or 255 where it has none. One picture is in memory at a time.

        Args:
            limit: take the first N records only.
        Raises: ValueError: the data set has objects instead.
        """
        self.check_segmented()
        for record in self.records(split, limit).as_numpy_iterator():
            classes = decode_class_map(record["segmentation"])
            yield record["image_id"].decode(), record["image"], classes

    def check_segmented(self) -> None:
        """Raise ValueError unless the records tell the class of every pixel."""
        if not self.palette:
            raise ValueError(
                f"{self.name} has objects, not the class of every pixel. Data for segmentation "
                "are voc_segmentation, mask_folders, coco_segmentation and shapes."
            )

    def _detections(self, record: dict, *, masks: bool) -> Detections:
        height, width = int(record["height"]), int(record["width"])
        drawn = masks and any(record["masks"])
        return Detections.ground_truth(
            record["boxes"] * np.array([width, height] * 2, np.float32),
            record["labels"],
            class_names=self.class_names,
            crowd=record["crowd"],
            areas=record["area"] * np.float32(height * width),
            masks=RunLengths(tuple(record["masks"]), (height, width)) if drawn else None,
        )

    def _read_through(self, split: str) -> Inspection:
        return inspect_records(self.records(split).as_numpy_iterator())

    def _check_split(self, split: str) -> None:
        if split not in self.splits:
            raise ValueError(f"{self.name} has the splits {', '.join(self.splits)}; got {split!r}.")
