"""Models as programs of other runtimes: written, and opened again.

A program is the whole model, pixels in and answers out: normalising, network, decoder and
suppression. Each format is written by one module, with the libraries of one Keras backend.
"""

from zoo.export.exported import Exported, is_export, open_exported
from zoo.export.fitting import fitting_of
from zoo.export.signature import Signature, TensorSpec, answer, named_outputs, signature_of
from zoo.export.writing import FORMATS, write_program

__all__ = [
    "FORMATS",
    "Exported",
    "Signature",
    "TensorSpec",
    "answer",
    "fitting_of",
    "is_export",
    "named_outputs",
    "open_exported",
    "signature_of",
    "write_program",
]
