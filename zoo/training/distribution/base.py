"""What a training must ask of how it is spread; and the answer of a training on one device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any


class Distribution:
    """A training on one device of one process; the other kinds change what has to be changed.

    Every process calls the same methods in the same order.

    Attributes:
        rank, size: this process among those that train together.
        devices: all that train, of all processes.
    """

    rank, size, devices = 0, 1, 1

    @property
    def leads(self) -> bool:
        """Whether this process writes what all of them would write alike."""
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """The part of every batch that this process feeds, and the number of parts."""
        return self.rank, self.size

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which the task is built, compiled and trained."""
        return nullcontext()

    def watched(self) -> AbstractContextManager[Any]:
        """Return the context in which a process that loses another one ends itself.

        Leave it when there is nothing more to wait for. An exception that leaves it ends the
        others too.
        """
        return nullcontext()

    def attach(self, task, *, synchronized: bool = False) -> None:
        """Make a compiled task train as one of the group; all begin with the leader's weights.

        Args:
            synchronized: let batch norms see the statistics of the whole batch.
        """

    def settle(self, task) -> None:
        """Give all processes the mean of the moving statistics that each has kept."""

    def metrics(self, task, logs) -> dict:
        """Return the running metrics over all processes; `logs` are those of this one."""
        return logs

    @contextmanager
    def totals(self, task) -> Iterator[None]:
        """Return the context in which the metrics' variables are those of all processes."""
        yield

    def take_totals(self, task) -> None:
        """Go on with metrics that have the variables of all processes, as `totals` shows them."""

    def mean(self, value: float) -> float:
        """Return the mean of a number over the processes."""
        return value

    def from_leader(self, values: Sequence[float]) -> Sequence[float]:
        """Return the leader's numbers, as float32, in every process."""
        return values

    def on_leader(self, task, ask: Callable[[Any], Any]) -> None:
        """Call `ask` with a model on one device that has the task's weights, in the leader only."""
        ask(task)
