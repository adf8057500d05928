"""Boxes and perhaps masks, a `Detections` a picture, scored by pycocotools."""

from collections.abc import Sequence

import numpy as np

from zoo.draw import draw_detections
from zoo.metrics import metrics_of_kinds, paired_bootstrap, trivial_detections
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

    def add(self, truth: Detections, answer: Detections) -> None:
        """Note one picture."""
        self.truths.append(truth)
        self.answers.append(answer)

    def metrics(self) -> dict:
        """Return what `zoo.metrics.metrics_of_kinds` does."""
        return metrics_of_kinds(self.truths, self.answers, self.kinds)

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

    def mistaken_for(self) -> dict[str, str]:
        """A box of another class is one too many, and of no object of this one."""
        return {}

    def picture(self) -> None:
        """Detections have no picture of the whole split."""
