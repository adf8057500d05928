"""MODEL on the command line -> the .keras file it names.

A path, the folder of a run, or the registry's `models:/name@alias` and `models:/name/3`. Mistakes
are told here, before a worker takes seconds to start.
"""

import difflib
import os
import re
import zipfile
from pathlib import Path

from flows.runtime import UserError, controller_environment


def resolve_model(model: str) -> Path:
    """Return the file of a model.

    Raises:
        UserError: there is no such model, or the file is not one.
    """
    if model.startswith("models:"):
        return _registered(model)
    path = Path(model)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise UserError(f"{model}: no such model{_hint(Path(model))}")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{model}: not a .keras file, or one that was cut short")
    return path


def _registered(model: str) -> Path:
    os.environ.update(controller_environment())
    from flows.registry import resolve

    return Path(resolve(model))


def _hint(path: Path) -> str:
    if re.fullmatch(r"[\w.-]+(@[\w-]+|/\d+)", str(path)):
        return f"; did you mean models:/{path}?"
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent}"
    beside = [found.name for found in path.parent.glob("*.keras")]
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""
