"""What a program takes and gives, settled before it is written.

Letters: B pictures, (H, W) the network's input in pixels, P proposals.
"""

from dataclasses import dataclass

from zoo.models import FastStyle, Segmenter, StyleTransfer
from zoo.models.proposal_detector import ProposalDetector

_NAMES = {"images": "painted"}  # a task's key -> the program's name for it


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of an input; None for a side of any length."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Signature:
    """The inputs of a program by name, in order, and the names of its outputs.

    An output is named by the task's key for it, except where an input has that name: what
    `fast_style` makes of `images` is `painted`.
    """

    inputs: dict[str, TensorSpec]
    outputs: tuple[str, ...]


def signature_of(task, *, batch=1, image_size=None) -> Signature:
    """Return what a program of a task takes and gives.

    Args:
        task: a `zoo.Task`.
        batch: B, pictures at once; None: any number, where a format allows it.
        image_size: (H, W) for models that take any size; None: that of the task's converter.
    Returns: inputs `images` (B, H, W, 3) uint8, RGB in 0..255, and for models with external
        proposals `proposals` (B, P, 4) float32, xyxy fractions of the network's input, 0 in
        padding; the outputs are the task's `result_keys`, `images` being called `painted`.
    Raises: ValueError if the task is no function of a picture, or has another input size.
    """
    if isinstance(task, StyleTransfer):
        raise ValueError(
            "a StyleTransfer cannot be exported: it fits the pixels of one picture step by step, "
            "so there is no function of a picture to write. A fast_style model has one."
        )
    size = tuple(task.image_converter.image_size)
    if image_size is not None and tuple(image_size) != size:
        if not isinstance(task, (FastStyle, Segmenter)):
            raise ValueError(
                f"this {type(task).__name__} has an input of {size[0]}x{size[1]} pixels, by which "
                f"its regions are laid out; got {image_size[0]}x{image_size[1]}. Train one of that "
                "size?"
            )
        size = tuple(image_size)
    inputs = {"images": TensorSpec((batch, *size, 3), "uint8")}
    if isinstance(task, ProposalDetector):
        inputs["proposals"] = TensorSpec((batch, task.proposer.count, 4), "float32")
    return Signature(inputs, tuple(_NAMES.get(key, key) for key in task.result_keys))


def answer(task, signature, *tensors):
    """Return the outputs of the signature by name, in order; what every program computes.

    Args:
        tensors: those of the signature's inputs, in order.
    """
    named = dict(zip(signature.inputs, tensors, strict=True))
    return named_outputs(
        signature, task(named if len(named) > 1 else named["images"], training=False)
    )


def named_outputs(signature, outputs) -> dict:
    """Return what a task answered under the names of the signature's outputs, in order."""
    keys = {name: key for key, name in _NAMES.items()}
    return {name: outputs[keys.get(name, name)] for name in signature.outputs}
