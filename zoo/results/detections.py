"""The objects of one picture.

Shape letters: K objects, C classes, h and w the original picture's height and width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zoo.results.frozen import frozen_copy
from zoo.run_lengths import RunLengths


class _HeldAsRunLengths:
    """A field of masks: given and read as (K, h, w) bool, kept as `RunLengths`."""

    def __get__(self, found: Detections | None, owner: type) -> np.ndarray | None:
        if found is None or found.run_lengths is None:  # of the class, as its default: None
            return None
        return found.run_lengths.decode()

    def __set__(self, found: Detections, masks: np.ndarray | RunLengths | None) -> None:
        if masks is not None and not isinstance(masks, RunLengths):
            masks = RunLengths.encode(np.asarray(masks, bool))
        object.__setattr__(found, "run_lengths", masks)


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects of one picture; arrays are copied in and read-only.

    Args:
        boxes: (K, 4) float32 xyxy, pixels of the original picture.
        scores: (K,) float32, 1 for ground truth.
        labels: (K,) int32, 0..C-1.
        masks: (K, h, w) bool, `RunLengths`, or None. They are held as `run_lengths`; reading
            `masks` decodes them anew.
        class_names: one name a class, or () where they are not known.
        crowd: (K,) bool, ground truth that stands for a group of objects, or None.
        areas: (K,) float32 square pixels of the annotated objects, or None: the boxes' areas.

    Raises:
        ValueError: shapes disagree, or a label has no class.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: _HeldAsRunLengths = _HeldAsRunLengths()
    class_names: tuple[str, ...] = ()
    crowd: np.ndarray | None = None
    areas: np.ndarray | None = None
    run_lengths: RunLengths | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        boxes = frozen_copy(self.boxes, np.float32)
        if boxes.size == 0:
            boxes = boxes.reshape(0, 4)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(
                f"boxes must be (K, 4) xyxy pixels of one picture; got {boxes.shape}. "
                "Did you leave the class column or the batch axis in?"
            )
        columns = {"scores": np.float32, "labels": np.int32, "crowd": bool, "areas": np.float32}
        for name, dtype in columns.items():
            if getattr(self, name) is not None:
                column = frozen_copy(getattr(self, name), dtype)
                _check_count(name, "(K,)", column.shape, ndim=1, count=len(boxes))
                object.__setattr__(self, name, column)
        if self.run_lengths is not None:
            masks = (len(self.run_lengths), *self.run_lengths.size)
            _check_count("masks", "(K, h, w)", masks, ndim=3, count=len(boxes))
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        _check_labels(self.labels, self.class_names)

    @classmethod
    def empty(cls, class_names: Sequence[str] = ()) -> Detections:
        """Return the answer "nothing here"."""
        return cls(
            boxes=np.zeros((0, 4)),
            scores=np.zeros(0),
            labels=np.zeros(0),
            class_names=tuple(class_names),
        )

    @classmethod
    def ground_truth(
        cls, boxes, labels, class_names: Sequence[str] = (), crowd=None, areas=None, masks=None
    ) -> Detections:
        """Return annotated objects: scores are 1, the rest as the constructor has it."""
        return cls(
            boxes=boxes,
            scores=np.ones(len(labels)),
            labels=labels,
            masks=masks,
            class_names=tuple(class_names),
            crowd=crowd,
            areas=areas,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def above(self, score: float) -> Detections:
        """Return the objects whose score is at least `score`, in the same order."""
        return self.take(self.scores >= score)

    def take(self, which: np.ndarray) -> Detections:
        """Return the objects at the indices, or where the mask is true, in that order.

        Args:
            which: (N,) int or (K,) bool.
        """
        return Detections(
            boxes=self.boxes[which],
            scores=self.scores[which],
            labels=self.labels[which],
            masks=None if self.run_lengths is None else self.run_lengths.take(which),
            class_names=self.class_names,
            crowd=None if self.crowd is None else self.crowd[which],
            areas=None if self.areas is None else self.areas[which],
        )

    def relabelled(self, labels: np.ndarray, class_names: Sequence[str]) -> Detections:
        """Return the same objects with labels (K,) int and names of other classes."""
        return replace(self, labels=labels, class_names=tuple(class_names), masks=self.run_lengths)

    def name(self, label: int) -> str:
        """Return the class name of a label, or the label itself where names are not known."""
        return self.class_names[label] if self.class_names else str(label)

    def to_coco(self, image_id: int | str) -> list[dict]:
        """Return rows of a COCO results file; `category_id` is the label, 0..C-1.

        Args:
            image_id: what the picture is called in the annotation file.
        Returns: a dict an object, ready for `json.dump`: image_id, category_id, score, bbox
            [x, y, width, height] in pixels and, where there are masks, segmentation (an RLE).
        """
        rows = [
            {"image_id": image_id, "category_id": label, "bbox": box, "score": score}
            for label, box, score in zip(
                self.labels.tolist(), xywh(self.boxes).tolist(), self.scores.tolist(), strict=True
            )
        ]
        if self.run_lengths is not None:
            for row, rle in zip(rows, self.run_lengths.to_coco(), strict=True):
                row["segmentation"] = rle | {"counts": rle["counts"].decode("ascii")}
        return rows


def xywh(boxes: np.ndarray) -> np.ndarray:
    """Turn (K, 4) xyxy into (K, 4) float64 x, y, width, height: pycocotools computes in float64."""
    boxes = boxes.astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _check_count(name: str, wanted: str, shape: tuple, *, ndim: int, count: int) -> None:
    if len(shape) != ndim or shape[0] != count:
        raise ValueError(
            f"{name} must be {wanted} with K={count} as the boxes have it; got {shape}."
        )


def _check_labels(labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    if len(labels) and labels.min() < 0:
        raise ValueError(
            f"labels must be 0..C-1; got {labels.min()}. Did you leave the padding in?"
        )
    if class_names and len(labels) and labels.max() >= len(class_names):
        raise ValueError(
            f"labels must be below {len(class_names)}, one of {class_names}; got {labels.max()}. "
            "Is the background still counted as a class?"
        )
