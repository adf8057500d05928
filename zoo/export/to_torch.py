"""A task as PyTorch's exported program (.pt2), on the PyTorch backend."""

from pathlib import Path

import keras

from zoo.export.signature import answer
from zoo.export.torch_loops import loops_in_the_graph

PROGRAM = "model.pt2"


def write(task, signature, folder) -> str:
    """Write the program; return its name in the folder."""
    import torch

    torch.export.save(export(task, signature), Path(folder) / PROGRAM)
    return PROGRAM


def export(task, signature):
    """Return the `torch.export.ExportedProgram` of a task: operations of ATen, and loops."""
    import torch

    class Answering(torch.nn.Module):
        """What torch exports: a module whose outputs are the signature's."""

        def __init__(self):
            super().__init__()
            self.task = task  # so that its variables are the program's parameters

        def forward(self, *tensors):
            return answer(self.task, signature, *tensors)

    tensors = tuple(
        torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype))
        for spec in signature.inputs.values()
    )
    with torch.no_grad(), keras.device("cpu"), loops_in_the_graph():
        return torch.export.export(Answering().eval(), tensors, strict=False)
