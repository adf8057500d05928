"""Ask an exported program in a fresh process, which imports its runtime and no Keras."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


class ExportError(RuntimeError):
    """A program could not be made of a model, or does not run."""


def ask_program(
    export: Path, inputs: Mapping[str, np.ndarray], *, threads: int | None = None, seconds=0.0
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Ask an exported program about rows of inputs.

    Args:
        export: its folder.
        inputs: name -> rows, of a number that its batch divides.
        threads: processor threads it may use, 1: one core; None: the runtime's choice.
        seconds: how long single answers are timed.
    Returns: the outputs by name, and `milliseconds` and `peak_bytes`, as
        `zoo/export/runtimes.py` tells them.
    Raises:
        ExportError: the program cannot be opened or run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        asked, answered = (Path(temporary) / name for name in ("inputs.npz", "outputs.npz"))
        np.savez(asked, **inputs)  # type: ignore[arg-type]
        command = [sys.executable, "-P", _runtimes(), export, asked, answered]
        command += [] if threads is None else ["--threads", threads]
        command += ["--seconds", seconds]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no word"]
            raise ExportError(
                f"its runtime cannot run the program (exit code {done.returncode}): {lines[-1]}"
            )
        with np.load(answered) as arrays:
            outputs = {name: arrays[name] for name in arrays.files}
    return outputs, json.loads(done.stdout.splitlines()[-1])


def _runtimes() -> Path:
    """Return the file that opens programs; found, for to import it would import Keras."""
    spec = importlib.util.find_spec("zoo")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("export") / "runtimes.py"
