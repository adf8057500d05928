"""What a model answers for one picture, and what the ground truth says about it.

Plain NumPy without Keras, in pixels of the original picture: all that metrics, drawing and files
need.
Shape letters: K objects, C classes, h and w the original picture's height and width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zoo.colormaps import VOID, Color, classes_to_colors, voc_colormap
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
        boxes = _frozen(self.boxes, np.float32)
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
                column = _frozen(getattr(self, name), dtype)
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


@dataclass(frozen=True, eq=False)
class Classification:
    """What one picture shows as a whole; the array is copied in and read-only.

    Args:
        probabilities: (C,) float32.
        class_names: one name a class, or () where they are not known.

    Raises:
        ValueError: the shape is another, or there is not a name a class.
    """

    probabilities: np.ndarray
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        probabilities = _frozen(self.probabilities, np.float32)
        names = tuple(self.class_names)
        if probabilities.ndim != 1 or not len(probabilities):
            raise ValueError(
                f"probabilities must be (C,) of one picture; got {probabilities.shape}. "
                "Did you leave the batch axis in?"
            )
        if names and len(names) != len(probabilities):
            raise ValueError(
                f"class_names must hold a name for each of {len(probabilities)} probabilities; "
                f"got {len(names)}. Is the background counted as a class?"
            )
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "class_names", names)

    @property
    def label(self) -> int:
        """The most probable class, 0..C-1; the lower one of two equal ones."""
        return int(np.argmax(self.probabilities))

    def name(self, label: int) -> str:
        """Return the class name of a label, or the label itself where names are not known."""
        return self.class_names[label] if self.class_names else str(label)

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the `k` most probable classes, or all if there are fewer, as (name, probability).

        Raises: ValueError if `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1; got {k}.")
        best = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.name(label), float(self.probabilities[label])) for label in best]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of every pixel of one picture; arrays are copied in and read-only.

    Args:
        classes: (h, w) uint8, 0..C-1, or 255 in ground truth where a pixel has no class.
        scores: (h, w) float32, the probability of the pixel's class, or None.
        class_names: one name a class, or () where they are not known.
        palette: (red, green, blue) in 0..255, one a class; None: those of Pascal VOC.

    Raises:
        ValueError: shapes disagree, or a class has no name or no colour.
    """

    classes: np.ndarray
    scores: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    palette: tuple[Color, ...] | None = None

    def __post_init__(self) -> None:
        given = np.asarray(self.classes)
        if given.ndim != 2 or given.dtype.kind not in "iu":
            raise ValueError(
                f"classes must be (h, w) int; got {given.shape} {given.dtype}. "
                "Did you leave the batch axis in, or take scores for classes?"
            )
        if self.scores is not None:
            scores = _frozen(self.scores, np.float32)
            if scores.shape != given.shape:
                raise ValueError(f"scores must be {given.shape} as classes; got {scores.shape}.")
            object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        if self.palette is not None:
            object.__setattr__(self, "palette", tuple(tuple(one) for one in self.palette))
        for what, of_classes in (("class_names", self.class_names), ("palette", self.palette)):
            _check_classes(given, len(of_classes) if of_classes else VOID, what)
        object.__setattr__(self, "classes", _frozen(given, np.uint8))

    def name(self, label: int) -> str:
        """Return the name of a class, or its number where names are not known."""
        return self.class_names[label] if self.class_names else str(label)

    def shares(self) -> dict[int, float]:
        """Return which share of the pixels each class has that is there, the largest first."""
        labels, counts = np.unique(self.classes[self.classes != VOID], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {int(labels[one]): float(counts[one] / self.classes.size) for one in order}

    @property
    def colors(self) -> tuple[Color, ...]:
        """(red, green, blue) of each class: the palette, or Pascal VOC's for any class."""
        return self.palette or voc_colormap(VOID)

    def to_colors(self) -> np.ndarray:
        """Return (h, w, 3) uint8, every pixel in its class' colour."""
        return classes_to_colors(self.classes, self.colors)


def xywh(boxes: np.ndarray) -> np.ndarray:
    """Turn (K, 4) xyxy into (K, 4) float64 x, y, width, height: pycocotools computes in float64."""
    boxes = boxes.astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _frozen(values, dtype) -> np.ndarray:
    array = np.array(values, dtype=dtype)  # a copy: freezing the caller's array would surprise
    array.setflags(write=False)
    return array


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


def _check_classes(classes: np.ndarray, count: int, what: str) -> None:
    beyond = (classes != VOID) & ((classes < 0) | (classes >= count))
    if beyond.any():
        raise ValueError(
            f"classes must be 0..{count - 1} as {what} has them, or {VOID}; "
            f"got {classes[beyond].flat[0]}."
        )
