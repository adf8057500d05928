"""An exported program that is asked like the task it was made of.

Letters: B pictures at once.
"""

from pathlib import Path

import numpy as np

from zoo.export.fitting import fitting_from
from zoo.export.runtimes import DESCRIPTION, Program
from zoo.pictures import read_picture
from zoo.results import Classification, Detections, Segmentation


class Exported:
    """A program in its own runtime, with the ways in and out of a `zoo.Task`.

    Args:
        program: a `zoo.export.runtimes.Program`.
    Attributes:
        kind, class_names, result_kinds: as a task's.
    """

    def __init__(self, program):
        self.program = program
        described = program.description
        self.kind = described["kind"]
        self.class_names = tuple(described["class_names"])
        self.result_kinds = ("boxes", "masks") if "masks" in described["outputs"] else ("boxes",)
        self._fitting = fitting_from(self.kind, self.class_names, described["fitting"])
        self._batch = described["inputs"]["images"]["shape"][0]

    def detect(self, images) -> list[Detections]:
        """Find objects, as `Detector.detect` does."""
        return self._answers("detection", images)

    def segment(self, images) -> list[Segmentation]:
        """Give every pixel a class, as `Segmenter.segment` does.

        Raises: also ValueError if a picture is larger than the program's input.
        """
        return self._answers("segmentation", images)

    def classify(self, images) -> list[Classification]:
        """Tell what pictures show, as `Classifier.classify` does."""
        return self._answers("classification", images)

    def stylize(self, images) -> list[np.ndarray]:
        """Paint pictures, brought to the size of the program first."""
        return self._answers("style", images)

    def _answers(self, kind, images):
        if kind != self.kind:
            raise ValueError(f"this is a program of {self.kind}; it has no answers of {kind}.")
        if not isinstance(images, (list, tuple)):
            images = [images]
        batch = self._batch or 1
        results = []
        for start in range(0, len(images), batch):
            results += self._answer_batch(images[start : start + batch], batch)
        return results

    def _answer_batch(self, images, batch):
        fitted = [self._fitting.inputs(read_picture(image)) for image in images]
        rows = [inputs for inputs, _ in fitted]
        rows += rows[-1:] * (batch - len(rows))  # a batch has one size
        outputs = self.program({name: np.stack([row[name] for row in rows]) for name in rows[0]})
        return [
            self._fitting.result({name: found[row] for name, found in outputs.items()}, frame)
            for row, (_, frame) in enumerate(fitted)
        ]


def open_exported(path, *, threads=None) -> Exported:
    """Open what `zoo export` wrote, by the format's own runtime.

    Args:
        path: the export's folder, or the program in it.
        threads: processor threads to use; None: the runtime's choice.
    Raises: ValueError if it is none; ImportError if the runtime is not installed.
    """
    return Exported(Program(path, threads))


def is_export(path) -> bool:
    """Whether a path is the folder of an export, or a file in one."""
    path = Path(path)
    return (path / DESCRIPTION).is_file() or (path.parent / DESCRIPTION).is_file()
