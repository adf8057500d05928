"""Processes of one device each that train together, on TensorFlow and PyTorch, under plain `fit`.

A process computes on its part of each batch. Before the optimizer sees the gradients it takes their
mean over the processes; our losses are means over pictures, so that is the gradient of the whole
batch. Keras 3.15 has nothing of this on PyTorch: its `fit` trains each process alone, silently.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
from keras import ops

from zoo.layers import BatchNorm
from zoo.training.distribution.base import Distribution
from zoo.training.distribution.heartbeat import Heartbeat
from zoo.training.distribution.place import Place
from zoo.training.distribution.seeds import draw_apart


class Workers(Distribution):
    """One of several processes.

    Args:
        place: which.
        add: tensor -> its sum over the processes.
    """

    def __init__(self, place: Place, add: Callable):
        self.rank, self.size = place.rank, place.size
        self.devices = place.size
        self._place, self._add = place, add

    def watched(self):
        return Heartbeat(self._place, self.from_leader)

    def attach(self, task, *, synchronized: bool = False) -> None:
        if synchronized:
            self._synchronize(task)
        draw_apart(task, lambda: self.rank)
        self._take_leaders(task.trainable_variables + _floats(task.non_trainable_variables))
        optimizer = task.optimizer
        apply = optimizer.apply

        def apply_means(grads, trainable_variables=None):
            return apply(self._means(grads), trainable_variables)

        optimizer.apply = apply_means

    def settle(self, task) -> None:
        norms = [norm for norm in _norms(task) if norm.trainable]
        statistics = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
        if statistics:
            self._assign(statistics, self._means([v.value for v in statistics]))

    @contextmanager
    def totals(self, task) -> Iterator[None]:
        variables = task.metrics_variables
        own = [ops.convert_to_numpy(v.value) for v in variables]
        self._assign(
            variables, self._sums([v.value for v in variables], "float64")
        )  # counts stay whole
        try:
            yield
        finally:
            self._assign(variables, own)

    def metrics(self, task, logs) -> dict:
        with self.totals(task):
            return task.get_metrics_result()

    def take_totals(self, task) -> None:
        if not self.leads:  # they are a sum over the processes again
            for variable in task.metrics_variables:
                variable.assign(ops.zeros_like(variable.value))

    def mean(self, value: float) -> float:
        return float(self._total([value])[0]) / self.size

    def from_leader(self, values):
        return self._total(values if self.leads else [0.0] * len(values))

    def on_leader(self, task, ask) -> None:
        if self.leads:
            ask(task)

    def _means(self, tensors: Sequence) -> list:
        return [None if t is None else t / self.size for t in self._sums(tensors)]

    def _sums(self, tensors: Sequence, dtype: str = "float32") -> list:
        """Return the sums over the processes, which travel as one vector; None stays."""
        present = [tensor for tensor in tensors if tensor is not None]
        flat = [ops.reshape(ops.cast(tensor, dtype), (-1,)) for tensor in present]
        total = self._add(ops.concatenate(flat))
        ends = [0]
        for tensor in flat:
            ends.append(ends[-1] + tensor.shape[0])
        sums = iter(
            ops.cast(ops.reshape(total[start:end], tensor.shape), tensor.dtype)
            for tensor, start, end in zip(present, ends, ends[1:], strict=False)
        )
        return [None if tensor is None else next(sums) for tensor in tensors]

    def _total(self, values: Sequence[float]):
        return ops.convert_to_numpy(self._add(ops.convert_to_tensor(values, "float32")))

    def _take_leaders(self, variables) -> None:
        ours = [v.value if self.leads else ops.zeros_like(v.value) for v in variables]
        self._assign(variables, self._sums(ours))

    def _synchronize(self, task) -> None:
        for norm in _norms(task):
            if not isinstance(norm, BatchNorm):
                raise ValueError(
                    f"synchronized batch norm over processes is for zoo's own backbones; "
                    f"{norm.path} is a {type(norm).__name__}"
                )
            norm.group_mean = lambda tensor: self._add(tensor) / self.size

    @staticmethod
    def _assign(variables, values) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _norms(task) -> list:
    norm = keras.layers.BatchNormalization
    return [layer for layer in task._flatten_layers() if isinstance(layer, norm)]


def _floats(variables) -> list:
    return [v for v in variables if keras.backend.is_float_dtype(v.dtype)]
