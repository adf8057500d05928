"""How a worker verb talks to its caller: JSON lines on stdout, and nothing else there.

{"what": "scoring", "done": 32, "total": 100}     how far it is
{"what": ..., "detail": "loss 2.1"}               how well it goes, beside the above
{"wrote": "predictions"}                          the results are complete
{"mistake": "cat.jpg: no such picture"}           why it ends with exit code 2
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.runtime import UserError


class ProgressLines:
    """Tell progress, at most ten lines a second and always the last one.

    Args:
        what: what is under way, a word or two for the bar.
        total: how many there are, or None where that is not known.
    """

    def __init__(self, what: str, total: int | None):
        self.what = what
        self.total = total
        self.done = 0
        self._tell()

    def advance(self, count: int = 1) -> None:
        """Count what is done."""
        self.done += count
        if self.done == self.total or time.monotonic() - self._told > 0.1:
            self._tell()

    def _tell(self) -> None:
        tell(what=self.what, done=self.done, total=self.total)
        self._told = time.monotonic()


class Counting:
    """Tell what is read and how much of it, where nobody knows how much there is."""

    def __init__(self):
        self._told = 0.0

    def __call__(self, what: str, done: int) -> None:
        """Take a count, and tell it at most ten times a second."""
        if time.monotonic() - self._told > 0.1:
            tell(what=what, done=done, total=None)
            self._told = time.monotonic()


def tell(**fields) -> None:
    """Write one line to the caller."""
    print(json.dumps(fields), file=sys.stdout, flush=True)


@contextmanager
def mistakes_told() -> Iterator[None]:
    """Tell a UserError to the caller on its way up, line by line."""
    try:
        yield
    except UserError as error:
        for line in str(error).splitlines():
            tell(mistake=line)
        raise


def read_line(line: str) -> dict:
    """Return the fields of a line; {} where it is not one of ours (a library's print)."""
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
