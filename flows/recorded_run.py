"""RUN on the command line -> what MLflow has of that run.

A run is named as `flows.run_names` has it; its folder need not be on this machine where MLflow's id
or a registered version names it.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from flows import registered
from flows.run_names import is_mlflow_id, resolve_run
from flows.runtime import UserError
from flows.tracking_store import read_state


@dataclass(frozen=True)
class RecordedRun:
    """A run as MLflow has it.

    Args:
        run_id: MLflow's.
        name: of its folder.
        tags: of the run.
        started: the event that its worker began with: parameters, versions, digests.
    """

    run_id: str
    name: str
    tags: dict[str, str]
    started: dict[str, Any]


def find_run(run: str, home: Path) -> RecordedRun:
    """Return what MLflow has of a run; the store is open.

    Raises:
        UserError: there is no such run, or it never came to its training.
    """
    run_id, client = _run_id(run, home), MlflowClient()
    try:
        told = client.get_run(run_id)
        with tempfile.TemporaryDirectory() as folder:
            file = client.download_artifacts(run_id, "worker.json", folder)
            started = json.loads(Path(file).read_text())
    except (MlflowException, OSError) as error:
        raise UserError(f"{run}: MLflow has no training of this run: {error}") from None
    return RecordedRun(run_id, told.info.run_name, dict(told.data.tags), started)


def _run_id(run: str, home: Path) -> str:
    if run.startswith("models:"):
        found = registered.find_version(run).run_id
        if not found:
            raise UserError(f"{run}: this version belongs to no run; it was registered by hand")
        return found
    if is_mlflow_id(run):
        return run
    folder = resolve_run(run, home)
    if run_id := read_state(folder).get("run_id"):
        return run_id
    raise UserError(f"{folder.path}: this run never came to MLflow; `zoo train` goes on with it")
