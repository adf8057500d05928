"""Distributions of numbers that come one by one, in constant memory.

Words: a quantile is exact while there are few distinct numbers, as counts of boxes are; beyond that
it is the middle of a step of a sixteenth of an octave, right within 2.2 %. The smallest, largest
and mean are always exact.
"""

import math
from collections import Counter

import numpy as np

_STEPS = 16  # of an octave
_DISTINCT = 4096  # numbers that are told apart


class Spread:
    """Numbers > 0: how many, the smallest, some quantiles, the largest."""

    def __init__(self):
        self.count, self.total = 0, 0.0
        self.smallest, self.largest = math.inf, 0.0
        self._counts: Counter[float] = Counter()
        self._in_steps = False

    def add(self, values: np.ndarray) -> None:
        """Take numbers (n,) > 0."""
        if len(values) == 0:
            return
        self.count += len(values)
        self.total += float(values.sum())
        self.smallest = min(self.smallest, float(values.min()))
        self.largest = max(self.largest, float(values.max()))
        self._counts.update(_steps(values) if self._in_steps else values.tolist())
        if not self._in_steps and len(self._counts) > _DISTINCT:
            self._put_in_steps()

    def quantile(self, share: float) -> float:
        """The smallest number that at least a share 0..1 of them does not exceed."""
        seen = 0
        for value in sorted(self._counts):
            seen += self._counts[value]
            if seen >= share * self.count:
                return min(max(value, self.smallest), self.largest)
        return self.largest

    def summary(self) -> dict[str, float] | None:
        """Smallest, 5 %, median, mean, 95 % and largest; None where there are none."""
        if not self.count:
            return None
        return {
            "smallest": self.smallest,
            "p5": self.quantile(0.05),
            "median": self.quantile(0.5),
            "mean": self.total / self.count,
            "p95": self.quantile(0.95),
            "largest": self.largest,
        }

    def _put_in_steps(self) -> None:
        steps: Counter[float] = Counter()
        for value, count in self._counts.items():
            steps[_steps(np.array([value]))[0]] += count
        self._counts, self._in_steps = steps, True


def _steps(values: np.ndarray) -> list[float]:
    """The middles of the steps that numbers are in."""
    return (2 ** ((np.floor(np.log2(values) * _STEPS) + 0.5) / _STEPS)).tolist()
