"""The formats of `zoo export`: who writes them and what that needs; both sides read it."""

import importlib.util
from dataclasses import dataclass

from flows.runtime import UserError, require_backend

DESCRIPTION = "zoo_export.json"  # in the folder of an export, beside the program


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        backend: whose worker writes it, whichever backend trained the model.
        modules: what writing it, and opening it again, imports.
        any_batch: whether it takes batches of any size if nothing else is asked for.
        int8: whether it can be quantised after training.
    """

    backend: str
    modules: tuple[str, ...] = ()
    any_batch: bool = False
    int8: bool = False


FORMATS = {
    "saved_model": Format("tensorflow", any_batch=True),
    "onnx": Format("torch", ("onnx", "onnxscript", "onnxruntime"), int8=True),
    "litert": Format("tensorflow", ("ai_edge_litert",)),
    "openvino": Format("torch", ("onnx", "onnxscript", "onnxruntime", "openvino"), int8=True),
    "torch": Format("torch"),
}


def require_format(name: str, *, int8: bool = False) -> Format:
    """Return a format that can be written here.

    Raises:
        UserError: it is unknown, its backend or a package is not installed, or it has no int8.
    """
    if name not in FORMATS:
        raise UserError(f"--format must be one of {', '.join(FORMATS)}; got {name!r}")
    chosen = FORMATS[name]
    if int8 and not chosen.int8:
        able = ", ".join(other for other, one in FORMATS.items() if one.int8)
        raise UserError(f"--int8 is for the formats {able}; got {name}")
    require_backend(chosen.backend)
    if missing := [module for module in chosen.modules if not importlib.util.find_spec(module)]:
        raise UserError(
            f"format {name} needs {', '.join(missing)}; pip install 'keras-vision-zoo[export]'"
        )
    return chosen


def available_formats() -> list[str]:
    """Return the formats that can be written here."""

    def works(name: str) -> bool:
        try:
            return bool(require_format(name))
        except UserError:
            return False

    return [name for name in FORMATS if works(name)]
