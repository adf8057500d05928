"""RUN on the command line -> the run folder it names.

A folder, the name of one in the home's `runs`, the id of an MLflow run, or a version of the
registry as models:/name@alias or models:/name/3, whose run is meant.
"""

import difflib
import os
import re
from pathlib import Path

from flows.run_folder import RunFolder, default_home
from flows.runtime import UserError, controller_environment


def resolve_run(run: str, home: Path | None = None) -> RunFolder:
    """Return the folder of a run.

    Args:
        run: as above.
        home: by default what ZOO_HOME names, else mlruns.

    Raises:
        UserError: there is no such run, or its folder is not on this machine.
        TrackingError: the registry does not answer.
    """
    home = default_home() if home is None else home
    for path in (Path(run), home / "runs" / run):
        if is_run(path):
            return RunFolder(path)
    if run.startswith("models:") or is_mlflow_id(run):
        return _of_store(run, home)
    raise UserError(f"{run}: no such run{_hint(run, home)}")


def is_mlflow_id(run: str) -> bool:
    """Return whether this is how MLflow calls a run."""
    return re.fullmatch(r"[0-9a-f]{32}", run) is not None


def is_run(path: Path) -> bool:
    """Return whether a folder is that of a run."""
    return (path / "config.yaml").is_file() and not (path / "runs").is_dir()


def _of_store(run: str, home: Path) -> RunFolder:
    """Ask the store which folder a version, or a run of MLflow, has."""
    os.environ.update(controller_environment())
    from flows.registered import run_folder_of

    told = Path(run_folder_of(run, home))
    for path in (told, home / "runs" / told.name):  # a home that was moved has it elsewhere
        if is_run(path):
            return RunFolder(path)
    raise UserError(f"{run}: its run folder {told} is not on this machine")


def _hint(run: str, home: Path) -> str:
    path = Path(run)
    if path.is_dir():
        return ": the folder has no config.yaml"
    known = sorted(found.name for found in (home / "runs").glob("*") if is_run(found))
    near = difflib.get_close_matches(path.name, known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    if not known:
        return f"; there is none in {home / 'runs'} (ZOO_HOME names another home)"
    return f"; in {home / 'runs'} there are {', '.join(known[:8])}{', …' if known[8:] else ''}"
