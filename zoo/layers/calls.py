"""Who is told when a layer computes: nobody, unless somebody watches.

Keras has no hook around the call of a layer, and some of ours compute with a Keras layer's weights
without calling it (`zoo.layers.convolution`). While somebody watches, both are told, with shapes
and dtypes and in the order of the data, on every backend alike: in a compiled step when it is
traced, on PyTorch while it runs.
"""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import keras

Tensor = tuple[tuple[int | None, ...], str]  # shape and dtype


@dataclass(frozen=True)
class Call:
    """One layer, or a layer with the norm folded into it, called once.

    Args:
        layers: that computed together; the first one names the operation.
        inputs, outputs: of their tensors; an unknown side is None.
        differentiable: whether the loss may ask for gradients of what came out.
    """

    layers: tuple[keras.layers.Layer, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    differentiable: bool


@dataclass
class Watch:
    """The calls seen so far, a list a thread: replicas are traced in threads of their own."""

    threads: dict[int, list[Call]] = field(default_factory=dict)

    @property
    def here(self) -> list[Call]:
        """Those of this thread."""
        return self.threads.setdefault(threading.get_ident(), [])

    @property
    def calls(self) -> list[Call]:
        """Those of the thread that saw most of them; replicas see the same."""
        return max(self.threads.values(), key=len, default=[])


_watch: Watch | None = None
_apart = threading.local()  # depth of `without_gradient` in this thread


@contextmanager
def watching(task=None) -> Iterator[Watch]:
    """Watch what is called in this process; one at a time.

    Args:
        task: whose `call` begins a step: what was seen before it is forgotten, so that a step
            traced twice counts once. None: everything counts.
    """
    global _watch
    if _watch is not None:
        raise RuntimeError("the calls of layers are watched already")
    original = keras.layers.Layer.__call__
    watch = _watch = Watch()

    def told(layer, *args, **kwargs):
        before = len(watch.here)
        outputs = original(layer, *args, **kwargs)
        if len(watch.here) == before and layer is not task:  # it holds no other layer
            tell(layer, inputs=(args, kwargs), outputs=outputs)
        return outputs

    keras.layers.Layer.__call__ = told
    try:
        with _beginning_anew(task, watch):
            yield watch
    finally:
        keras.layers.Layer.__call__ = original
        _watch = None


@contextmanager
def _beginning_anew(task, watch: Watch) -> Iterator[None]:
    """Forget what a thread has seen when it calls the task; JAX' steps go past `__call__`."""
    if task is None:
        yield
        return
    call = task.call

    @functools.wraps(call)
    def begin(*args, **kwargs):
        watch.here.clear()
        return call(*args, **kwargs)

    vars(task)["call"] = begin  # Keras would look at what is set, and at its signature
    try:
        yield
    finally:
        del vars(task)["call"]


def tell(*layers, inputs, outputs) -> None:
    """Tell who watches that layers have computed; called where one does so without its `call`."""
    if _watch is None:
        return
    differentiable = not getattr(_apart, "depth", 0)
    _watch.here.append(Call(layers, _tensors(inputs), _tensors(outputs), differentiable))


@contextmanager
def without_gradient() -> Iterator[None]:
    """Say that what is called within is a constant to the loss, as `ops.stop_gradient` makes it."""
    _apart.depth = getattr(_apart, "depth", 0) + 1
    try:
        yield
    finally:
        _apart.depth -= 1


def _tensors(values) -> tuple[Tensor, ...]:
    leaves = keras.tree.flatten(values)
    return tuple(
        (tuple(leaf.shape), keras.backend.standardize_dtype(leaf.dtype))
        for leaf in leaves
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype") and _has_rank(leaf.shape)
    )


def _has_rank(shape) -> bool:
    """TensorFlow has shapes of which not even the number of sides is known."""
    return getattr(shape, "rank", 0) is not None
