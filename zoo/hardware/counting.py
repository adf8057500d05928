"""Operations and bytes of a training step, counted from the calls of its layers.

Words: a *pass* is the work of one layer once: forward, for the gradient of its inputs, and for the
gradient of its weights. Each pass has the forward one's operations, and reads and writes as many
bytes: forward it reads inputs and weights and writes outputs; for the inputs' gradient it reads the
outputs' gradient and weights and writes the inputs' gradient; for the weights' it reads inputs and
the outputs' gradient and writes the weights' gradient. So a layer that trains counts three times,
the first one of a model twice (nobody asks for the pixels' gradient), one below everything that
trains once. The optimizer reads a weight, its gradient and its slots, and writes weight and slots.

The bytes are those of a machine whose caches end with each layer, as nothing is kept from one layer
to the next: what a backend fuses moves fewer, what it computes in several passes (batch norms on
most) more. ReLUs and additions between layers are taken as fused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from zoo.hardware.operations import operations
from zoo.layers.calls import Call


@dataclass(frozen=True)
class LayerWork:
    """What one call of a layer is in a step.

    Args:
        name: the layer's path.
        kind: its class.
        dtype: it computes in.
        operations: of one pass, two a multiplication and addition.
        activations, weights: bytes of one pass.
        passes: 1 forward, and a pass a gradient.
    """

    name: str
    kind: str
    dtype: str
    operations: float
    activations: float
    weights: float
    passes: int

    @property
    def total_operations(self) -> float:
        """Of all passes."""
        return self.operations * self.passes

    @property
    def total_bytes(self) -> float:
        """Of all passes."""
        return (self.activations + self.weights) * self.passes


@dataclass(frozen=True)
class StepWork:
    """What a training step is, on one device.

    Args:
        pictures: that the device sees in a step.
        layers: its calls, in order.
        optimizer_bytes: read and written by the update.
        uncounted: paths of layers whose operations nobody has told how to count.
    """

    pictures: float
    layers: tuple[LayerWork, ...]
    optimizer_bytes: float
    uncounted: tuple[str, ...] = ()

    @property
    def operations(self) -> float:
        """Of a step, forward and backward."""
        return sum(layer.total_operations for layer in self.layers)

    @property
    def bytes(self) -> float:
        """Read and written in a step."""
        return sum(layer.total_bytes for layer in self.layers) + self.optimizer_bytes

    @property
    def forward_operations(self) -> float:
        """Of the forward pass."""
        return sum(layer.operations for layer in self.layers)

    @property
    def forward_bytes(self) -> float:
        """Read and written forward."""
        return sum(layer.activations + layer.weights for layer in self.layers)

    @property
    def dtype(self) -> str:
        """In which most of the operations are done."""
        sums: dict[str, float] = {}
        for layer in self.layers:
            sums[layer.dtype] = sums.get(layer.dtype, 0.0) + layer.total_operations
        return max(sums, key=lambda name: sums[name], default="float32")

    def of_device(self, pictures: float, *, weights_parts: int = 1) -> StepWork:
        """Return the work of a device that sees so many pictures.

        Args:
            weights_parts: devices that share the weights among them, each with its part.
        """
        share = pictures / self.pictures
        return replace(
            self,
            pictures=pictures,
            optimizer_bytes=self.optimizer_bytes / weights_parts,
            layers=tuple(
                replace(
                    layer,
                    operations=layer.operations * share,
                    activations=layer.activations * share,
                    weights=layer.weights / weights_parts,
                )
                for layer in self.layers
            ),
        )


def count_step(calls: Sequence[Call], task, *, pictures: int) -> StepWork:
    """Count a training step.

    Args:
        calls: of a forward pass and the loss, in the order of the data.
        task: what was called; its optimizer, if it is compiled, counts too.
        pictures: what an unknown leading side stands for.
    """
    seen = [_with_sides(call, pictures) for call in calls]
    trains, works, uncounted = False, [], []
    for call in seen:
        work = _work(call, below_trains=trains)
        if work.operations is None:
            uncounted.append(work.name)
            work = replace(work, operations=0)
        works.append(work)
        trains = trains or _trains(call.layers)
    first = next((call.inputs[0][0] for call in seen if call.inputs and call.inputs[0][0]), ())
    return StepWork(
        pictures=first[0] if first else pictures,
        layers=tuple(works),
        optimizer_bytes=_optimizer_bytes(task),
        uncounted=tuple(dict.fromkeys(uncounted)),
    )


def _work(call: Call, *, below_trains: bool) -> LayerWork:
    layer = call.layers[0]
    own = [weight for one in call.layers for weight in one.weights]
    count = 0
    if call.inputs and call.outputs:
        count = operations(layer, call.inputs[0][0], call.outputs[0][0])
    gradients = below_trains + _trains(call.layers) if call.differentiable else 0
    return LayerWork(
        name=layer.path,
        kind=type(layer).__name__,
        dtype=layer.compute_dtype or "float32",
        operations=count,
        activations=_bytes(call.inputs) + _bytes(call.outputs),
        weights=sum(variable_bytes(weight) for weight in own),
        passes=1 + gradients,
    )


def _trains(layers: Iterable) -> bool:
    return any(layer.trainable_weights for layer in layers)


def _with_sides(call: Call, pictures: int) -> Call:
    """Let an unknown side stand for the batch."""

    def known(tensors):
        return tuple(
            (tuple(pictures if side is None else side for side in shape), dtype)
            for shape, dtype in tensors
        )

    return replace(call, inputs=known(call.inputs), outputs=known(call.outputs))


def _bytes(tensors) -> int:
    return sum(math.prod(shape) * dtype_bytes(dtype) for shape, dtype in tensors)


def variable_bytes(variable) -> int:
    """Return the bytes of a variable's values."""
    return math.prod(variable.shape) * dtype_bytes(variable.dtype)


def dtype_bytes(dtype: str) -> int:
    """Return the bytes of a number, 4 of `float32`."""
    digits = "".join(filter(str.isdigit, dtype))
    return max(int(digits) // 8, 1) if digits else 1  # bool


def _optimizer_bytes(task) -> int:
    optimizer = getattr(task, "optimizer", None)
    if optimizer is None:
        return 0
    weights = sum(variable_bytes(weight) for weight in task.trainable_variables)
    slots = [variable for variable in optimizer.variables if len(variable.shape)]
    return 3 * weights + 2 * sum(variable_bytes(variable) for variable in slots)
