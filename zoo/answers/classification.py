"""The class of a whole picture, a `Classification` each, scored by how often it is right.

Shape letters: I pictures, C classes.
"""

from collections.abc import Sequence

import numpy as np

from zoo.answers.details import Details
from zoo.draw import draw_classification
from zoo.draw_confusion import draw_confusion
from zoo.metrics import (
    class_confusion,
    class_curves,
    class_table,
    classification_metrics,
    paired_classification_bootstrap,
)
from zoo.results import Classification

SHOWN = 5  # classes of a picture in a results file
TOLD = 3  # in a line


class ClassificationAnswers:
    """How classifiers are asked."""

    metric = "top1"  # by which two models are compared where nothing else is named
    metrics = ("top1", "top5")  # by which they can be

    def __init__(self, tasks):
        """Take the models, of which nothing has to be known."""

    def ask(self, task, pictures) -> list[Classification]:
        """Return what each picture shows."""
        return task.classify(pictures)

    def truths(self, source, split, limit=None):
        """Iterate over (image id, encoded picture, label) of a split."""
        return source.class_truth(split, limit)

    def scores(self, class_names) -> "ClassificationScores":
        """Return an empty score sheet."""
        return ClassificationScores(class_names)

    def certain(self, answer, min_score) -> Classification:
        """Return the answer: a picture has a class, however sure that is."""
        return answer

    def draw(self, picture, answer, truth=None) -> np.ndarray:
        """Return the picture (H, W, 3) uint8 with its most probable classes, and the true one."""
        return draw_classification(picture, answer, truth)

    def panels(self, picture, answer, truth) -> dict[str, np.ndarray]:
        """Return the picture with its most probable classes, a dot before the true one."""
        return {"found": draw_classification(picture, answer, truth)}

    def told(self, answer) -> str:
        """Return the most probable classes in a line, of each its first name."""
        return ", ".join(f"{name.split(',')[0]} {part:.2f}" for name, part in answer.top(TOLD))

    def rows(self, answer, image_id) -> list[dict]:
        """Return a row a class, the most probable ones first."""
        best = np.argsort(-answer.probabilities, kind="stable")[:SHOWN]
        return [
            {
                "image_id": image_id,
                "category_id": int(label),
                "name": answer.name(int(label)),
                "score": float(answer.probabilities[label]),
            }
            for label in best
        ]

    def renamed(self, answer, labels, names) -> Classification:
        """Return the answer in other labels: `labels[k]` is what label k is called there."""
        probabilities = np.zeros(len(names), np.float32)
        probabilities[list(labels)] = answer.probabilities
        return Classification(probabilities, names)


class ClassificationScores:
    """A split's labels and what was answered.

    Args:
        class_names: C names, of the data.
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = class_names
        self.labels: list[int] = []
        self.answers: list[Classification] = []

    def add(self, truth: int, answer: Classification) -> None:
        """Note one picture."""
        self.labels.append(truth)
        self.answers.append(answer)

    def metrics(self) -> dict:
        """Return what `zoo.metrics.classification_metrics` does, of the answers."""
        figures = classification_metrics(self.labels, self.answers)
        return {name: value for name, value in figures.items() if not name.startswith("trivial_")}

    def trivial(self) -> dict:
        """Return what always answering the most frequent class would score."""
        frequency = np.bincount(self.labels, minlength=len(self.class_names)).astype(np.float32)
        constant = Classification(frequency / frequency.sum(), self.class_names)
        figures = classification_metrics(self.labels, [constant] * len(self.labels))
        return {name: figures[name] for name in self.metrics()}

    def confidence(self, rival: "ClassificationScores", metric: str) -> float:
        """Return how sure it is, 0..1, that these answers are better than the rival's."""
        return paired_classification_bootstrap(
            self.labels, self.answers, rival.answers, metric=metric
        )

    def details(self) -> Details:
        """Return the confusion, each class against all others, and how sure each picture was."""
        confusion = self._confusion()
        curves = class_curves(self.labels, self.answers, self.class_names)
        areas = {curve.name: curve.ap for curve in curves}
        pairs = zip(self.answers, self.labels, strict=True)
        return Details(
            quality="probability of the true class",
            qualities=np.array([answer.probabilities[label] for answer, label in pairs]),
            counted="pictures",
            confusion=confusion,
            names=self.class_names,
            curves={"classes": curves},
            rows=[
                {
                    "class": row["name"],
                    "pictures": row["pictures"],
                    "ap": areas.get(row["name"], -1.0),
                    "recall": row["accuracy"],
                    "precision": row["precision"],
                    "taken for": row["mistaken_for"],
                }
                for row in class_table(confusion, self.class_names)
            ],
            answers=self.answers,
        )

    def mistaken_for(self) -> dict[str, str]:
        """Return class -> what its pictures are taken for most often, if not for it."""
        rows = class_table(self._confusion(), self.class_names)
        return {row["name"]: row["mistaken_for"] for row in rows}

    def picture(self) -> np.ndarray:
        """Return the confusion of the classes, drawn."""
        return draw_confusion(self._confusion(), self.class_names)

    def _confusion(self) -> np.ndarray:
        predicted = [answer.label for answer in self.answers]
        return class_confusion(self.labels, predicted, len(self.class_names))
