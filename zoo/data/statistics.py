"""Distributions of numbers that come one by one, in constant memory.

Words: a quantile is given as the middle of its step; steps are a sixteenth of an octave, so it is
right within 2.2 %. The smallest, the largest and the mean are exact.
"""

import math
from collections import Counter

import numpy as np

_STEPS = 16  # of an octave


class Spread:
    """Numbers > 0: how many, the smallest, some quantiles, the largest."""

    def __init__(self):
        self.count, self.total = 0, 0.0
        self.smallest, self.largest = math.inf, 0.0
        self._steps: Counter[int] = Counter()

    def add(self, values: np.ndarray) -> None:
        """Take numbers (n,) > 0."""
        if len(values) == 0:
            return
        self.count += len(values)
        self.total += float(values.sum())
        self.smallest = min(self.smallest, float(values.min()))
        self.largest = max(self.largest, float(values.max()))
        self._steps.update(np.floor(np.log2(values) * _STEPS).astype(int).tolist())

    def quantile(self, share: float) -> float:
        """The number that a share 0..1 of them does not exceed, within 2.2 %."""
        seen = 0
        for step in sorted(self._steps):
            seen += self._steps[step]
            if seen >= share * self.count:
                middle = 2 ** ((step + 0.5) / _STEPS)
                return min(max(middle, self.smallest), self.largest)
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
