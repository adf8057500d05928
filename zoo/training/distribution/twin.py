"""A model on one device beside one that is spread over several."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Twin:
    """Builds a second model of a task, once, and lends it with the task's weights of the moment.

    It is built and asked in a thread of its own: strategies and distributions hold for a thread.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="twin")
        self._of: Any = None
        self._model: Any = None

    def ask(self, task, ask: Callable[[Any], Any]) -> None:
        """Call `ask` with the model."""
        weights = task.get_weights()
        self._thread.submit(self._ask, task, weights, ask).result()

    def _ask(self, task, weights, ask) -> None:
        if self._of is not task:
            self._model = type(task).from_config(task.get_config())
            self._model.compile()
            self._of = task
        self._model.set_weights(weights)
        ask(self._model)
