"""What a report tells of a split beyond its metrics, in plain data, the same for every kind.

Words: a picture's *quality* is one figure of how well it was answered, more is better; *panels* are
the pictures that are drawn of one answer, caption -> (H, W, 3) uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.metrics import Curve, OperatingPoint

NOTHING = "(nothing)"  # the class of what was not found, and of what is not there


@dataclass(frozen=True)
class Details:
    """What a score sheet knows of its classes and pictures.

    Args:
        quality: what the qualities measure, in words.
        qualities: (I,) float, a picture each, in the order they were added.
        counted: what a confusion counts, "objects", "pictures" or "pixels".
        confusion: (N, N) int, true (row) by predicted (column); None: there are no classes.
        names: N, of the confusion.
        curves: what overlaps, or "classes" -> precision over recall of each class.
        point: from which score on detections count in confusion and qualities; None: all do.
        rows: a row a class, column -> value.
        answers: a picture each, where the sheet has kept them.
    """

    quality: str
    qualities: np.ndarray
    counted: str = ""
    confusion: np.ndarray | None = None
    names: Sequence[str] = ()
    curves: dict[str, list[Curve]] = field(default_factory=dict)
    point: OperatingPoint | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    answers: Sequence[Any] = ()

    @property
    def least_score(self) -> float:
        """What an object must score to be drawn."""
        return self.point.score if self.point else 0.0

    def extremes(self, count: int) -> dict[str, list[int]]:
        """Return the indices of the pictures that were answered worst, and best.

        No picture is both; of equal ones the first.
        """
        worst = np.argsort(self.qualities, kind="stable")
        best = np.argsort(-self.qualities, kind="stable")
        count = min(count, len(worst) // 2) or len(worst)
        shown = worst[:count].tolist()
        others = [one for one in best.tolist() if one not in shown]
        return {"worst": shown, "best": others[:count]}

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON has it; of the confusion the cells that are not zero."""
        confusion = np.zeros((0, 0), int) if self.confusion is None else self.confusion
        return {
            "quality": self.quality,
            "qualities": [round(float(value), 4) for value in self.qualities],
            "counted": self.counted,
            "names": list(self.names),
            "confusion": [
                [*cell, int(confusion[tuple(cell)])] for cell in np.argwhere(confusion).tolist()
            ],
            "curves": {
                kind: [_plain(curve) for curve in curves] for kind, curves in self.curves.items()
            },
            "point": None if self.point is None else vars(self.point),
            "rows": self.rows,
        }


def _plain(curve: Curve) -> dict[str, Any]:
    precision = [round(float(value), 4) for value in curve.precision]
    return {"name": curve.name, "count": curve.count, "ap": curve.ap, "precision": precision}
