"""A task -> a folder with its program in some format, and zoo_export.json."""

import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from zoo.export import to_litert, to_onnx, to_openvino, to_saved_model, to_torch
from zoo.export.fitting import fitting_of
from zoo.export.runtimes import DESCRIPTION


@dataclass(frozen=True)
class Format:
    """How a format is written.

    Attributes:
        write: function (task, signature, folder) -> the program's name in the folder.
        packages: distributions that write it.
        int8: whether `write` takes a fourth argument, what to quantise by.
    """

    write: Callable[..., str]
    packages: tuple[str, ...]
    int8: bool = False


FORMATS = {
    "saved_model": Format(to_saved_model.write, ("tensorflow",)),
    "onnx": Format(to_onnx.write, ("torch", "onnx", "onnxscript"), int8=True),
    "litert": Format(to_litert.write, ("tensorflow",)),
    "openvino": Format(to_openvino.write, ("torch", "onnx", "onnxscript", "openvino"), int8=True),
    "torch": Format(to_torch.write, ("torch",)),
}


def write_program(task, signature, format, folder, *, source, calibration=None) -> None:
    """Write the program of a task, and the description that makes it usable.

    Args:
        task: a `zoo.Task`, opened on the backend that writes the format.
        signature: of `signature_of`.
        format: one of `FORMATS`.
        folder: an empty folder.
        source: what the task was read from, for the description: any plain dict.
        calibration: what to quantise by: dicts of the inputs of a picture, without the batch axis;
            None: float32.
    Raises: ValueError for an unknown format, or one without int8; what the format's library raises
        where it fails.
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}; got {format!r}.")
    chosen = FORMATS[format]
    if calibration is not None and not chosen.int8:
        raise ValueError(f"format {format} has no int8.")
    quantized = () if calibration is None else (calibration,)
    program = chosen.write(task, signature, Path(folder), *quantized)
    versions = {name: importlib.metadata.version(name) for name in ("keras", *chosen.packages)}
    description = {
        "format": format,
        "program": program,
        "kind": task.kind,
        "class_names": list(task.class_names),
        "inputs": {name: asdict(spec) for name, spec in signature.inputs.items()},
        "outputs": list(signature.outputs),
        "fitting": fitting_of(task, signature).get_config(),
        "quantization": "int8" if quantized else None,
        "source": source,
        "backend": keras.backend.backend(),
        "versions": versions,
    }
    (Path(folder) / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n")
