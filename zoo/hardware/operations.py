"""How many operations the call of a layer is: two a multiplication and addition.

Counted are the products with a layer's kernel: convolutions, transposed and depthwise ones, dense
layers. What has no kernel (norms, poolings, activations, losses, the search for overlaps, RoI
crops) adds and compares a few times a number it reads, which no ceiling of matrix products bounds;
it counts by its bytes.

Letters: k a kernel's sides, in and out its channels.
"""

import math

from keras import layers

from zoo.layers import TransposedConv

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    TransposedConv,
)


def operations(layer, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> int | None:
    """Return the operations of one call forward, or None where nobody has told how to count it.

    Args:
        layer: a built layer.
        inputs, outputs: shapes of its first tensors, all sides known.
    """
    if isinstance(layer, _TRANSPOSED):  # the kernel (k, out, in) is laid down once an input cell
        return 2 * math.prod(inputs) * math.prod(layer.kernel.shape[:-1])
    if isinstance(layer, _DEPTHWISE):  # (k, in, multiplier)
        return 2 * math.prod(outputs) * math.prod(layer.kernel.shape[:-2])
    if isinstance(layer, (*_CONVOLUTIONS, layers.Dense)):  # (k, in / groups, out), (in, out)
        return 2 * math.prod(outputs) * math.prod(layer.kernel.shape[:-1])
    if isinstance(layer, layers.EinsumDense):
        return _einsum(layer.equation, inputs, layer.kernel.shape)
    return None if hasattr(layer, "kernel") or hasattr(layer, "depthwise_kernel") else 0


def _einsum(equation: str, inputs, kernel) -> int:
    """Multiply and add once for every value of all indices; `...` stands for leading sides."""
    left, right = equation.split("->")[0].split(",")
    ahead = len(inputs) - len(left.replace("...", ""))
    sides = dict(zip(left.replace("...", ""), inputs[ahead:], strict=True))
    sides |= dict(zip(right, kernel, strict=True))
    return 2 * math.prod(inputs[:ahead]) * math.prod(sides.values())
