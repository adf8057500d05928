"""Axes of a drawing: values to places, and round numbers to write beside them."""

import math
from dataclasses import dataclass

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A straight line or a logarithm from values to places.

    Args:
        low, high: values at the two ends, low < high; of a logarithm > 0.
        start, end: their places.
        logarithmic: whether equal factors are equally far apart.
        whole: whether the values are counts, between which there is nothing.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    whole: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value; beyond the ends those of the ends."""
        low, high = self._bent(self.low), self._bent(self.high)
        share = (self._bent(min(max(value, self.low), self.high)) - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, count: int = 5) -> list[float]:
        """Return about so many round values, or powers of ten, within the ends."""
        return self._powers(count) if self.logarithmic else self._steps(count)

    def _bent(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def _steps(self, count: int) -> list[float]:
        wish = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(wish))
        step = next(power * one for one in _ROUND if power * one >= wish * (1 - 1e-9))
        step = max(step, 1.0) if self.whole else step
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _powers(self, count: int) -> list[float]:
        """Powers of ten; 2 and 5 times them too, or equal steps, where they are few."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        factors = (1,) if last - first > 2 else (1, 2, 5)
        every = max(1, math.ceil((last - first) / count))
        powers = range(first, last + 1, every)
        found = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in found if self.low <= value <= self.high]
        return inside if len(inside) > 2 else self._steps(count)


def spanning(
    values: list[float], start: float, end: float, *, logarithmic: bool = False, zero: bool = False
) -> Scale:
    """Return a scale that has room for all values.

    Args:
        values: finite; of a logarithm those above 0 count.
        zero: begin at 0 where no value lies below.
    """
    if logarithmic:
        values = [value for value in values if value > 0] or [1.0]
        low, high = min(values), max(values)
        if low == high:
            low, high = low / 2, high * 2
        return Scale(low, high, start, end, logarithmic=True)
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low = min(low, 0.0) if zero else low
    if low == high:
        low, high = (low - 0.5, high + 0.5) if low else (0.0, 1.0)
    return Scale(low, high, start, end)


def short(value: float) -> str:
    """Write a number in little room: 1.2k, 0.05, 2.5e-4."""
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    if 0 < abs(value) < 1e-3:
        digits, power = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(power)}"
    return f"{value:.3g}"
