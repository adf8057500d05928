"""What a classifier's training tells the world: its accuracies on held-out pictures."""

from itertools import islice
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from zoo.draw_confusion import draw_confusion
from zoo.metrics import class_confusion, classification_metrics
from zoo.training.callbacks import scalar_metrics

_PICTURES_HELD = 32  # encoded, while they are looked at


class EvaluateClasses(keras.callbacks.Callback):
    """Score a classifier on held-out pictures every so many epochs and after the last.

    Args:
        report: called as report("evaluation", ...), and as report("sample", ...) with the picture
            of the confusion.
        ground_truth: a function that iterates over (image id, encoded picture, label) anew, such as
            `lambda: classified_pictures(source, "val")`.
        every_epochs: epochs between evaluations.
        epochs: epochs of the whole run.
        steps_per_epoch: steps of a whole epoch.
        samples: folder for the pictures; reported paths are relative to its parent.
    """

    def __init__(self, report, ground_truth, *, every_epochs, epochs, steps_per_epoch, samples):
        super().__init__()
        self.report = report
        self.ground_truth = ground_truth
        self.every_epochs = every_epochs
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.samples = Path(samples)

    def on_epoch_end(self, epoch, logs=None):
        done = epoch + 1
        if done % self.every_epochs and done != self.epochs:
            return
        step = done * self.steps_per_epoch
        labels, predictions = classify_all(self.model, self.ground_truth())
        scalars = scalar_metrics(classification_metrics(labels, predictions))
        metrics = {f"val/{name}": value for name, value in scalars.items()}
        self._draw(labels, predictions, step)
        self.report("evaluation", step=step, epoch=done, metrics=metrics)

    def _draw(self, labels, predictions, step):
        names = self.model.class_names
        predicted = np.array([found.label for found in predictions])
        drawn = draw_confusion(class_confusion(labels, predicted, len(names)), names)
        path = self.samples / f"{step:06d}-confusion.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn).save(path)
        place = str(path.relative_to(self.samples.parent))
        self.report("sample", step=step, image_id="confusion", path=place)


def classify_all(task, records):
    """Classify pictures, a few in memory at a time.

    Args:
        task: a `Classifier`.
        records: iterator over (image id, encoded picture, label).
    Returns: labels (I,) int, and a Classification a picture.
    """
    labels, predictions = [], []
    while chunk := list(islice(records, _PICTURES_HELD)):
        labels += [label for _, _, label in chunk]
        predictions += task.classify([picture for _, picture, _ in chunk])
    return np.array(labels), predictions
