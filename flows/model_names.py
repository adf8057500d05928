"""MODEL on the command line -> the .keras file it names.

A path, the folder of a run, or the registry's `models:/name@alias` and `models:/name/3`. Mistakes
are told here, before a worker takes seconds to start.
"""

import difflib
import json
import os
import re
import zipfile
from pathlib import Path

from flows.export_formats import DESCRIPTION, FORMATS
from flows.runtime import UserError, controller_environment


def resolve_model(model: str, *, exports: bool = False) -> Path:
    """Return the file of a model.

    Args:
        exports: whether the folder of an export, or the program in it, will do as well.

    Raises:
        UserError: there is no such model, or the file is not one.
    """
    if model.startswith("models:"):
        return _registered(model)
    path = Path(model)
    if (folder := export_folder(path)) is not None:
        if not exports:
            raise UserError(f"{model}: is an export; name the .keras file that it was made of")
        return folder
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise UserError(f"{model}: no such model{_hint(Path(model))}")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{model}: not a .keras file, or one that was cut short")
    return path


def export_folder(path: Path) -> Path | None:
    """Return the folder of an export that a path is or lies in, or None."""
    return next((f for f in (path, path.parent) if (f / DESCRIPTION).is_file()), None)


def backend_of(model: str) -> str:
    """Return the backend that answers by a model: of an export the one that wrote it, or auto."""
    folder = export_folder(Path(model))
    if folder is None:
        return "auto"
    try:
        return FORMATS[json.loads((folder / DESCRIPTION).read_text())["format"]].backend
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / DESCRIPTION}: is not what `zoo export` writes") from error


def _registered(model: str) -> Path:
    os.environ.update(controller_environment())
    from flows.registered import resolve

    return Path(resolve(model))


def _hint(path: Path) -> str:
    if re.fullmatch(r"[\w.-]+(@[\w-]+|/\d+)", str(path)):
        return f"; did you mean models:/{path}?"
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent}"
    beside = [found.name for found in path.parent.glob("*.keras")]
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""
