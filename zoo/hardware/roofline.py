"""The roofline: what a machine's two ceilings allow a piece of work, and what it made of them.

Words: *intensity*, the operations done a byte moved; *ridge*, the intensity from which on the
matrix rate is what bounds.

Reference: Williams, Waterman and Patterson 2009, Roofline: an insightful visual performance model;
Zhang et al., Dive into Deep Learning, section 12.4.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

COMPUTE, BANDWIDTH = "compute", "memory bandwidth"


@dataclass(frozen=True)
class Roofline:
    """A piece of work under the ceilings of one device.

    Args:
        operations: of the work.
        bytes: that it moves, > 0.
        peak: operations a second that the device is able to do.
        bandwidth: bytes a second between the device and its memory.
        seconds: that the work took; None: it was not measured.
    """

    operations: float
    bytes: float
    peak: float
    bandwidth: float
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("bytes", "peak", "bandwidth"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0; got {getattr(self, name)}")

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.operations / self.bytes

    @property
    def ridge(self) -> float:
        """The intensity where the ceilings meet, operations a byte."""
        return self.peak / self.bandwidth

    @property
    def limit(self) -> float:
        """Operations a second that the ceilings allow."""
        return min(self.peak, self.intensity * self.bandwidth)

    @property
    def bound(self) -> str:
        """Which ceiling it is: `compute` or `memory bandwidth`."""
        return COMPUTE if self.intensity >= self.ridge else BANDWIDTH

    @property
    def achieved(self) -> float | None:
        """Operations a second that were done."""
        return self.operations / self.seconds if self.seconds else None

    @property
    def fraction(self) -> float | None:
        """What was achieved of the limit; above 1 where a ceiling was measured too low."""
        return self.achieved / self.limit if self.achieved is not None and self.limit else None


def least_seconds(
    parts: Iterable[tuple[float, float, str]], peaks: Mapping[str, float], bandwidth: float
) -> float:
    """Return the time of parts done one after another, each at its own limit.

    It is longer than that of the whole at once, of which the one ceiling idles while the other
    bounds.

    Args:
        parts: (operations, bytes, dtype) each.
        peaks: dtype -> operations a second; another dtype is done as float32 is.
        bandwidth: bytes a second.
    """
    return sum(
        max(operations / peaks.get(dtype, peaks["float32"]), moved / bandwidth)
        for operations, moved, dtype in parts
    )


def median(values: Sequence[float]) -> float | None:
    """Return the middle value, the lower of two; None of none."""
    return sorted(values)[(len(values) - 1) // 2] if values else None


# Where steps wait for data within their own time, as on TensorFlow, they are never much quicker
# than the pipeline: so near to it they starve.
_NEAR = 1.1
_EASY = 1.5


def feeding(pipeline: float, step: float) -> str:
    """Say whether a device gets its pictures as fast as it takes them.

    Args:
        pipeline: pictures a second that the input pipeline gives, alone.
        step: pictures a second that the training steps take.
    """
    if pipeline <= _NEAR * step:
        return "starving: the input pipeline is what bounds"
    if pipeline <= _EASY * step:
        return "barely fed: the input pipeline has little to spare"
    return "fed: the input pipeline is faster than the step"
