"""A task as ONNX, by PyTorch's exporter from an exported program.

PyTorch's is the route that is kept up, with ONNX's loops for the decoders; TensorFlow's tf2onnx
names fixed protobuf versions and Keras has to patch it.
"""

import tempfile
from pathlib import Path

from zoo.export import to_torch
from zoo.export.quantization import quantize

PROGRAM = "model.onnx"
OPSET = 20


def write(task, signature, folder, calibration=None) -> str:
    """Write the program; return its name in the folder.

    Args:
        calibration: rows to quantise by, as `quantize` takes them; None: float32.
    """
    path = Path(folder) / PROGRAM
    if calibration is None:
        _write_float(task, signature, path)
        return PROGRAM
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / PROGRAM
        _write_float(task, signature, whole)
        quantize(whole, path, calibration)
    return PROGRAM


def _write_float(task, signature, path) -> None:
    import torch

    program = torch.onnx.export(
        to_torch.export(task, signature),
        dynamo=True,
        opset_version=OPSET,
        input_names=list(signature.inputs),
        output_names=list(signature.outputs),
        custom_translation_table={
            torch.ops.aten.sort.stable: _stable_sort,
            torch.ops.aten.squeeze.dim: _squeeze,
        },
        verbose=False,
    )
    program.save(path)


def _stable_sort(values, stable=True, dim=-1, descending=False):
    """Return ONNX's sort, which PyTorch's exporter does not know: of equals the first is first."""
    from onnxscript import opset20 as op

    count = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]))
    return op.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


def _squeeze(values, dim):
    """Leave an axis of length 1 out; the exporter's own writes one of another length wrongly."""
    from onnxscript import opset20 as op

    if values.shape[dim] != 1:
        return op.Identity(values)
    return op.Squeeze(values, op.Constant(value_ints=[dim]))
