"""The end of a scheduled training that was not needed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Skipped:
    """A training that was not needed.

    Args:
        name: the registered model.
        version: which came of the same.
        reason: a sentence.
        seconds: that finding out took.
    """

    name: str
    version: str
    reason: str
    seconds: float
