"""What a person sees: tables on stdout, progress and mistakes on stderr."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Table
from rich.text import Text

_QUIET_SECONDS = 10.0  # between two lines where there is no terminal to redraw a bar on


def fail(message: str) -> None:
    """Write mistakes to stderr, a line each, never wrapped."""
    for line in message.splitlines():
        print(f"error: {line}", file=sys.stderr)


def note(message: str) -> None:
    """Write a remark to stderr, beside the results."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(message, style="dim"))


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None
) -> None:
    """Print a table to stdout; numbers stand to the right."""
    if title is not None:
        print(title)
    table = Table(header_style="bold", show_edge=False)
    for position, column in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[position], (int, float)) for row in rows)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    Console(highlight=False).print(table)


class Best(float):
    """A number of a table that stands out among the others of its row."""


class Bar:
    """A progress bar on a terminal; elsewhere a line now and then. Use it as a context manager.

    Args:
        what: what is under way.
    """

    def __init__(self, what: str):
        self._console = Console(stderr=True)
        self._what = what
        self._printed = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            Elapsed(),
            Remaining(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(what, total=None, detail="")

    def update(self, what: str, done: int = 0, total: int | None = None, detail: str = "") -> None:
        """Show how far it is; another `what` starts the clock again."""
        if what != self._what:
            self._progress.reset(self._task)
        count = f"{done}" if total is None else f"{done}/{total}"
        shown = " ".join(filter(None, (count if done or total else "", detail)))
        self._progress.update(
            self._task, description=what, completed=done, total=total, detail=shown
        )
        waited = time.monotonic() - self._printed
        if not self._console.is_terminal and (what != self._what or waited > _QUIET_SECONDS):
            self.write(f"{what} {shown}".rstrip())
        self._what = what

    def write(self, line: str) -> None:
        """Leave a line that stays."""
        self._printed = time.monotonic()
        self._console.print(Text(line), soft_wrap=True, highlight=False)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._progress.stop()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that something goes on while nothing can be counted."""
    with Console(stderr=True).status(what):
        yield


def _text(value: object) -> Text:
    return Text(_cell(value), "bold" if isinstance(value, Best) else "")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
