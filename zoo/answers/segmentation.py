"""The class of every pixel, a `Segmentation` a picture, scored by the confusion of pixels.

Shape letters: I pictures, C classes, h and w a picture's height and width.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zoo.answers.details import Details
from zoo.draw import draw_segmentation
from zoo.draw_confusion import draw_confusion
from zoo.metrics import (
    SEGMENTATION_METRICS,
    class_table,
    confusion_matrix,
    metrics_of_confusion,
    paired_segmentation_bootstrap,
)
from zoo.results import Segmentation
from zoo.run_lengths import encode_mask


class SegmentationAnswers:
    """How models of segmentation are asked."""

    metric = "miou"  # by which two models are compared where nothing else is named
    metrics = SEGMENTATION_METRICS  # by which they can be

    def __init__(self, tasks):
        """Take the models, of which nothing has to be known."""

    def ask(self, task, pictures) -> list[Segmentation]:
        """Return the class map of each picture."""
        return task.segment(pictures)

    def truths(self, source, split, limit=None):
        """Iterate over (image id, encoded picture, class map (h, w) uint8) of a split."""
        return source.semantic_truth(split, limit)

    def scores(self, class_names) -> "SegmentationScores":
        """Return an empty score sheet."""
        return SegmentationScores(class_names)

    def certain(self, answer, min_score) -> Segmentation:
        """Return the answer: every pixel has a class, however sure that is."""
        return answer

    def draw(self, picture, answer, truth=None) -> np.ndarray:
        """Return the picture (H, W, 3) uint8 in the classes' colours; beside it the truth."""
        if truth is None:
            return draw_segmentation(picture, answer)
        panels = self.panels(picture, answer, truth)
        return np.concatenate([panels["found"], panels["annotated"]], axis=1)

    def panels(self, picture, answer, truth) -> dict[str, np.ndarray]:
        """Return the picture in the classes' colours, as they are and as they were found."""
        annotated = replace(answer, classes=truth, scores=None)
        return {
            "annotated": draw_segmentation(picture, annotated),
            "found": draw_segmentation(picture, answer),
        }

    def told(self, answer) -> str:
        """Return the classes that are there and their shares of the pixels, in a line."""
        shares = answer.shares().items()
        return ", ".join(f"{answer.name(label)} {share:.1%}" for label, share in shares)

    def rows(self, answer, image_id) -> list[dict]:
        """Return rows of a COCO results file, a mask for each class that is there."""
        return [
            _row(answer, label) | {"image_id": image_id, "category_id": label}
            for label in answer.shares()
        ]

    def renamed(self, answer, labels, names) -> Segmentation:
        """Return the answer in other labels: `labels[k]` is what label k is called there."""
        lookup = np.arange(256)
        lookup[: len(labels)] = labels
        return replace(answer, classes=lookup[answer.classes], class_names=names, palette=None)


class SegmentationScores:
    """The confusion of each picture of a split, C x C numbers, whatever the pictures' size.

    Args:
        class_names: C names, of the data.
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = class_names
        self.confusions: list[np.ndarray] = []

    def add(self, truth: np.ndarray, answer: Segmentation) -> None:
        """Note one picture."""
        self.confusions.append(confusion_matrix(truth, answer.classes, len(self.class_names)))

    def metrics(self) -> dict:
        """Return what `zoo.metrics.metrics_of_confusion` does, of the answers."""
        figures = metrics_of_confusion(sum(self.confusions), self.class_names)
        return {name: value for name, value in figures.items() if not name.startswith("trivial_")}

    def trivial(self) -> dict:
        """Return what calling every pixel by the most frequent class would score."""
        true = sum(self.confusions).sum(axis=1)
        constant = np.zeros((len(true), len(true)), np.int64)
        constant[:, true.argmax()] = true
        figures = metrics_of_confusion(constant, self.class_names)
        return {name: figures[name] for name in self.metrics()}

    def confidence(self, rival: "SegmentationScores", metric: str) -> float:
        """Return how sure it is, 0..1, that these answers are better than the rival's."""
        return paired_segmentation_bootstrap(
            np.stack(self.confusions), np.stack(rival.confusions), metric=metric
        )

    def details(self) -> Details:
        """Return the confusion of the pixels, and the mean IoU of each picture."""
        total = sum(self.confusions)
        figures = metrics_of_confusion(total, self.class_names)
        table = class_table(total, self.class_names)
        return Details(
            quality="mean IoU of the picture's classes",
            qualities=np.array(
                [metrics_of_confusion(one, self.class_names)["miou"] for one in self.confusions]
            ),
            counted="pixels",
            confusion=total,
            names=self.class_names,
            rows=[
                {
                    "class": row["name"],
                    "pixels": row["pictures"],
                    "iou": figures["iou_per_class"][row["name"]],
                    "recall": row["accuracy"],
                    "precision": row["precision"],
                    "taken for": row["mistaken_for"],
                }
                for row in table
            ],
        )

    def mistaken_for(self) -> dict[str, str]:
        """Return class -> what its pixels are taken for most often, if not for it."""
        rows = class_table(sum(self.confusions), self.class_names)
        return {row["name"]: row["mistaken_for"] for row in rows}

    def picture(self) -> np.ndarray:
        """Return the confusion of the pixels, drawn."""
        return draw_confusion(sum(self.confusions), self.class_names)


def _row(answer, label) -> dict:
    """Return the mask of a class, and how sure the answer is of it on average."""
    mask = answer.classes == label
    counts = encode_mask(mask).decode("ascii")
    return {
        "segmentation": {"size": list(mask.shape), "counts": counts},
        "score": 1.0 if answer.scores is None else float(answer.scores[mask].mean()),
    }
