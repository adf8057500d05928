"""Boxes and perhaps masks, a `Detections` a picture, scored by pycocotools."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.answers.details import NOTHING, Details
from zoo.draw import draw_detections, draw_objects
from zoo.metrics import (
    COCO_METRICS,
    DetectionMatches,
    match_kind,
    metrics_of_kinds,
    paired_bootstrap,
    scored_kinds,
    trivial_detections,
)
from zoo.results import Detections


class DetectionAnswers:
    """How detectors are asked.

    Args:
        tasks: the detectors; masks count where all of them draw some.
    """

    metric = "ap50"  # by which two models are compared where nothing else is named

    def __init__(self, tasks):
        common = set.intersection(*(set(task.result_kinds) for task in tasks))
        self.kinds = [kind for kind in tasks[0].result_kinds if kind in common]

    @property
    def metrics(self) -> tuple[str, ...]:
        """By what two models can be compared."""
        masks = [f"mask_{name}" for name in COCO_METRICS] if "masks" in self.kinds else []
        return (*COCO_METRICS, *masks)

    def ask(self, task, pictures) -> list[Detections]:
        """Return what is in each picture."""
        return task.detect(pictures)

    def truths(self, source, split, limit=None):
        """Iterate over (image id, encoded picture, `Detections`) of a split."""
        return source.ground_truth(split, limit, masks="masks" in self.kinds)

    def scores(self, class_names) -> "DetectionScores":
        """Return an empty score sheet."""
        return DetectionScores(class_names, self.kinds)

    def certain(self, answer, min_score) -> Detections:
        """Return what scores at least `min_score`."""
        return answer.above(min_score)

    def draw(self, picture, answer, truth=None) -> np.ndarray:
        """Return the picture (H, W, 3) uint8 with what was found, and what is there beside."""
        return draw_detections(picture, answer, ground_truth=truth)

    def panels(self, picture, answer, truth) -> dict[str, np.ndarray]:
        """Return the picture with what is there, and with what was found."""
        return {
            "annotated": draw_objects(picture, truth),
            "found": draw_detections(picture, answer),
        }

    def told(self, answer) -> str:
        """Return how many objects of each class there are, in a line."""
        labels, counts = np.unique(answer.labels, return_counts=True)
        pairs = zip(labels, counts, strict=True)
        return ", ".join(f"{count} {answer.name(label)}" for label, count in pairs) or "nothing"

    def rows(self, answer, image_id) -> list[dict]:
        """Return rows of a COCO results file."""
        return answer.to_coco(image_id)

    def renamed(self, answer, labels, names) -> Detections:
        """Return the answer in other labels: `labels[k]` is what label k is called there."""
        return answer.relabelled(np.asarray(labels, np.int32)[answer.labels], names)


class DetectionScores:
    """A split's pictures, what is in them and what was found.

    Args:
        class_names: of the data.
        kinds: what is scored, "boxes" and perhaps "masks".
    """

    def __init__(self, class_names: Sequence[str], kinds: Sequence[str]):
        self.class_names = class_names
        self.kinds = kinds
        self.truths: list[Detections] = []
        self.answers: list[Detections] = []
        self._matches: dict[str, Any] = {}  # by kind; what takes longest, and is read twice

    def add(self, truth: Detections, answer: Detections) -> None:
        """Note one picture."""
        self.truths.append(truth)
        self.answers.append(answer)
        self._matches.clear()

    def metrics(self) -> dict:
        """Return what `zoo.metrics.metrics_of_kinds` does."""
        return metrics_of_kinds(self.truths, self.answers, self.kinds, match=self._match)

    def trivial(self) -> dict:
        """Return what answering nothing would score."""
        nothing = trivial_detections(len(self.truths), self.class_names)
        return metrics_of_kinds(self.truths, nothing, self.kinds)

    def confidence(self, rival: "DetectionScores", metric: str) -> float:
        """Return how sure it is, 0..1, that these answers are better than the rival's."""
        return paired_bootstrap(
            self.truths,
            self.answers,
            rival.answers,
            metric=metric.removeprefix("mask_"),
            kind="masks" if metric.startswith("mask_") else "boxes",
        )

    def details(self) -> Details:
        """Return curves and confusion at an IoU of .5; by masks where masks are scored."""
        kinds = scored_kinds(self.truths, self.kinds)
        matches = {kind: self._judge(kind) for kind in kinds}
        kind, judged = list(matches.items())[-1]
        curves = {kind: matched.curves() for kind, matched in matches.items()}
        point = judged.best_point()
        confusion = judged.confusion(point.score)
        return Details(
            quality=f"F1 times mean IoU, of {kind} from a score of {point.score:.2f} on",
            qualities=judged.qualities(point.score),
            counted="objects",
            confusion=confusion,
            names=[*judged.class_names, NOTHING],
            curves=curves,
            point=point,
            rows=_class_rows(judged.class_names, confusion, curves),
            answers=self.answers,
        )

    def _judge(self, kind: str) -> DetectionMatches:
        matches = self._match(kind)
        return DetectionMatches(self.truths, self.answers, kind=kind, matches=matches)

    def _match(self, kind: str):
        if kind not in self._matches:
            self._matches[kind] = match_kind(self.truths, self.answers, kind)
        return self._matches[kind]

    def mistaken_for(self) -> dict[str, str]:
        """A box of another class is one too many, and of no object of this one."""
        return {}

    def picture(self) -> None:
        """Detections have no picture of the whole split."""


def _class_rows(class_names, confusion, curves) -> list[dict]:
    """Return a row a class: objects, AP at the IoU by kind, and what the operating point gives."""
    rows = []
    for label, name in enumerate(class_names):
        hits, objects = confusion[label, label], confusion[label].sum()
        found = confusion[:, label].sum()
        row = {"class": name, "objects": int(objects)}
        for kind, of_classes in curves.items():
            column = {"boxes": "ap50", "masks": "mask_ap50"}[kind]
            row[column] = next((curve.ap for curve in of_classes if curve.name == name), -1.0)
        row |= {
            "precision": hits / found if found else -1.0,
            "recall": hits / objects if objects else -1.0,
            "f1": 2 * hits / (found + objects) if found + objects else -1.0,
        }
        rows.append(row)
    return rows
