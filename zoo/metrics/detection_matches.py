"""Which detections of a split are right, at an IoU of .5: curves, confusion, a figure a picture.

pycocotools matches; here its matches are read. A detection that falls to a crowd is neither right
nor wrong.

Shape letters: I pictures, D detections of the whole split, C classes.
Words: the *operating point* is the score from which on detections count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from pycocotools.cocoeval import COCOeval

from zoo.metrics.coco import match_pictures, quiet
from zoo.metrics.detection import class_names, match_kind
from zoo.metrics.precision_recall import Curve
from zoo.results import Detections

OVERLAP = 0.5  # IoU from which on a detection is right; the lowest of COCO's
_UNDECIDED = 0.5  # the operating point where no detection is right


@dataclass(frozen=True)
class OperatingPoint:
    """What detections of at least `score` come to, over all classes; all figures 0..1."""

    score: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class _Judged:
    """The detections that count, a column each, by falling score."""

    picture: np.ndarray  # (D,) int
    index: np.ndarray  # (D,) int, within its picture
    label: np.ndarray  # (D,) int
    score: np.ndarray  # (D,) float
    object: np.ndarray  # (D,) int, within its picture; -1 where it is wrong
    iou: np.ndarray  # (D,) float, with that object

    def take(self, which: np.ndarray) -> _Judged:
        return _Judged(*(getattr(self, field.name)[which] for field in fields(self)))


class DetectionMatches:
    """A split's detections, matched to its objects at an IoU of .5.

    Args:
        ground_truth, predictions: one Detections a picture, in the same order.
        kind: what overlaps, "boxes" or "masks".
        matches: of `match_kind` on the same; None: they are matched here.
    Raises: ValueError if the lists differ in length, the kind is unknown, or masks are missing.
    """

    def __init__(
        self,
        ground_truth: Sequence[Detections],
        predictions: Sequence[Detections],
        *,
        kind: str = "boxes",
        matches: COCOeval | None = None,
    ):
        self._truths, self._answers, self._kind = ground_truth, predictions, kind
        self._matches = matches or match_kind(ground_truth, predictions, kind)
        self._judged = _judge(self._matches, ground_truth, predictions)
        self._countable = [_countable(truth) for truth in ground_truth]
        self.class_names = class_names(ground_truth, predictions)

    def curves(self) -> list[Curve]:
        """Return the curve of each class that is annotated, as pycocotools has it."""
        if not self._matches.eval:
            with quiet():
                self._matches.accumulate()
        precision = self._matches.eval["precision"][0, :, :, 0, -1]  # (recalls, C)
        counts = self._objects_per_class()
        return [
            Curve(name, int(counts[label]), float(column.mean()), column)
            for label, (name, column) in enumerate(zip(self.class_names, precision.T, strict=True))
            if column[0] > -1
        ]

    def best_point(self) -> OperatingPoint:
        """Return the score with the highest F1, over all classes together.

        Chosen on the pictures that it is told of, it flatters a little. Of equal ones the highest
        score; where no detection is right, .5.
        """
        judged, objects = self._judged, int(self._objects_per_class().sum())
        hits = np.cumsum(judged.object >= 0)
        if not len(hits) or hits[-1] == 0:
            return OperatingPoint(_UNDECIDED, 0.0, 0.0, 0.0)
        count = np.arange(1, len(hits) + 1)
        last_of_its_score = np.append(judged.score[1:] < judged.score[:-1], True)
        f1 = np.where(last_of_its_score, 2 * hits / (count + objects), -1.0)
        best = int(f1.argmax())
        return OperatingPoint(
            score=float(judged.score[best]),
            precision=float(hits[best] / count[best]),
            recall=float(hits[best] / objects),
            f1=float(f1[best]),
        )

    def confusion(self, score: float) -> np.ndarray:
        """Count objects (row) by what they were taken for (column), at an operating point.

        First detections take objects of their class, as AP has it; of what is left, detections take
        objects of any class. The last row is of detections on no object, the last column of objects
        that nothing found.

        Returns: (C + 1, C + 1) int64.
        """
        nothing = len(self.class_names)
        table = np.zeros((nothing + 1, nothing + 1), np.int64)
        shown = self._judged.take(self._judged.score >= score)
        hits = shown.take(shown.object >= 0)
        np.add.at(table, (hits.label, hits.label), 1)
        truths, answers = self._left_over(shown, hits)
        judged = self._match_any_class(truths, answers)
        taken = set()
        for picture, index, found in zip(judged.picture, judged.index, judged.object, strict=True):
            true = nothing if found < 0 else truths[picture].labels[found]
            table[true, answers[picture].labels[index]] += 1
            taken.add((picture, found))
        for picture, truth in enumerate(truths):
            for index, label in enumerate(truth.labels):
                table[label, nothing] += (picture, index) not in taken
        return table

    def qualities(self, score: float) -> np.ndarray:
        """Tell how well each picture's objects are found, at an operating point.

        The sum of the right detections' IoU over hits + (misses + false alarms) / 2: F1 times the
        mean IoU. A picture without objects, in which none is found, has 1.

        Returns: (I,) float64 0..1.
        Reference: Kirillov 2019, Panoptic Segmentation, section 4.2, over all classes together.
        """
        shown = self._judged.take(self._judged.score >= score)
        count = len(self._truths)
        hits = shown.take(shown.object >= 0)
        overlap = np.bincount(hits.picture, weights=hits.iou, minlength=count)
        detected = np.bincount(shown.picture, minlength=count)
        objects = np.array([which.sum() for which in self._countable], int)
        # hits + (misses + false alarms) / 2 = (objects + detected) / 2
        return np.where(objects + detected, 2 * overlap / np.maximum(objects + detected, 1), 1.0)

    def _objects_per_class(self) -> np.ndarray:
        """(C,) int, crowds left out."""
        labels = [
            truth.labels[which] for truth, which in zip(self._truths, self._countable, strict=True)
        ]
        return np.bincount(np.concatenate(labels), minlength=len(self.class_names))

    def _left_over(self, shown: _Judged, hits: _Judged):
        """Return, a picture each, the objects without a hit and the wrong detections."""
        found = [which.copy() for which in self._countable]
        for picture, index in zip(hits.picture, hits.object, strict=True):
            found[picture][index] = False
        wrong: list[list[int]] = [[] for _ in self._answers]
        misses = shown.take(shown.object < 0)
        for picture, index in zip(misses.picture, misses.index, strict=True):
            wrong[picture].append(index)
        truths = [truth.take(which) for truth, which in zip(self._truths, found, strict=True)]
        answers = [
            answer.take(np.array(which, int))
            for answer, which in zip(self._answers, wrong, strict=True)
        ]
        return truths, answers

    def _match_any_class(self, truths, answers) -> _Judged:
        matches = match_pictures(
            [_one_class(truth) for truth in truths],
            [_one_class(answer) for answer in answers],
            kind=self._kind,
            num_classes=1,
            overlaps=[OVERLAP],
            most=max(map(len, answers), default=0),  # a hundred of each class may be left
        )
        return _judge(matches, truths, answers)


def _judge(
    matches: COCOeval, truths: Sequence[Detections], answers: Sequence[Detections]
) -> _Judged:
    """Read the matches at the lowest IoU, for objects of every size."""
    first_object, first_detection = _first_ids(truths), _first_ids(answers)
    params, columns = matches.params, []
    pictures, areas = len(params.imgIds), len(params.areaRng)
    for label in range(len(params.catIds)):
        start = label * areas * pictures  # "all" is the first area range
        for match in matches.evalImgs[start : start + pictures]:
            if match is not None and match["dtIds"]:
                columns.append(_columns(match, matches, first_object, first_detection))
    if not columns:
        none = np.zeros(0, int)
        return _Judged(none, none, none, np.zeros(0), none, np.zeros(0))
    judged = _Judged(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    return judged.take(np.argsort(-judged.score, kind="stable"))


def _columns(match: dict, matches: COCOeval, first_object, first_detection):
    """Return the columns of `_Judged` for a picture and a class."""
    picture, label = match["image_id"], match["category_id"]
    counts = np.flatnonzero(~match["dtIgnore"][0].astype(bool))
    found = match["dtMatches"][0].astype(int)[counts]  # ids of objects, 0: none
    iou = np.zeros(len(counts))
    if found.any():
        # Overlaps lie in the order of the annotations, matches with crowds behind all others.
        place = np.searchsorted(np.sort(match["gtIds"]), found[found > 0])
        iou[found > 0] = np.asarray(matches.ious[picture, label])[counts[found > 0], place]
    return (
        np.full(len(counts), picture),
        np.array(match["dtIds"], int)[counts] - first_detection[picture],
        np.full(len(counts), label),
        np.array(match["dtScores"])[counts],
        np.where(found > 0, found - first_object[picture], -1),
        iou,
    )


def _first_ids(side: Sequence[Detections]) -> np.ndarray:
    """(I,) int: `match_pictures` numbers what it is given from 1, picture by picture."""
    return 1 + np.cumsum([0, *(len(found) for found in side[:-1])])


def _countable(truth: Detections) -> np.ndarray:
    return np.ones(len(truth), bool) if truth.crowd is None else ~truth.crowd


def _one_class(found: Detections) -> Detections:
    return found.relabelled(np.zeros(len(found), np.int32), ())
