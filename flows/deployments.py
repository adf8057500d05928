"""The deployments of `prefect.yaml` on a Prefect server: work pool, deployments, automations.

`prefect deploy` does the middle part alone and asks for the work pool to be there; `deploy` does
all of it, and again changes nothing. Words: a *deployment* is a flow with its parameters, schedules
and environment, known to the server; a *work pool* is the queue its runs wait in; a Prefect
*worker* takes them from there and starts a process for each.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.config import load_config
from flows.runtime import UserError, controller_environment

POOL = "zoo"
PREFECT_FILE = Path("prefect.yaml")


def read_config(path: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a config for a deployment; a build step of prefect.yaml.

    Args:
        path: a YAML file, relative to the project.
        overrides: "train.epochs=3" each, as `zoo train --set` takes them.

    Returns: `config`, whole and checked, and `project`, the folder that workers run in.

    Raises:
        ConfigError: with every mistake found.
    """
    config = load_config(path, overrides)
    return {"config": config.model_dump(mode="json"), "project": str(Path.cwd())}


def deploy(pool: str = POOL, prefect_file: Path = PREFECT_FILE) -> list[str]:
    """Make the work pool, apply the deployments and the automations to the server that is named.

    Returns: the deployments' names, each with its flow's: `train/smoke`.

    Raises:
        UserError: there is no prefect.yaml, or something in it is refused.
    """
    if not prefect_file.exists():
        raise UserError(
            f"{prefect_file}: no such file; deployments are described there. Go to the project's "
            "folder, or name the file with --prefect-file."
        )
    os.environ.update(controller_environment())  # read when Prefect is imported
    from flows.automations import apply_automations

    _require_server()
    _make_pool(pool)
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        [*command, "--prefect-file", str(prefect_file)],
        env=_environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise UserError(f"{prefect_file}: {_complaint(done.stdout + done.stderr)}")
    apply_automations(pool)
    return _names(pool)


def _require_server() -> None:
    from prefect.settings import PREFECT_API_URL

    from flows.embedded import require_answer

    if not (url := PREFECT_API_URL.value()):
        raise UserError(
            "no Prefect server is named; start one with `zoo up`, or set PREFECT_API_URL to the "
            "address of yours, such as http://127.0.0.1:4200/api"
        )
    require_answer(url)


def _environment() -> dict[str, str]:
    """Return the environment of a command line that talks: wide lines and no colours."""
    return controller_environment() | dict(os.environ) | {"COLUMNS": "1000", "NO_COLOR": "1"}


def _complaint(output: str) -> str:
    """Return the last lines of a failed `prefect deploy` that say why."""
    lines = [line.strip() for line in output.splitlines() if line.strip(" │╭╮╰╯─\t")]
    told = next((i for i, line in enumerate(lines) if "Error" in line), max(0, len(lines) - 3))
    return " ".join(lines[told : told + 6]) or "prefect deploy failed and said nothing"


def _make_pool(pool: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(
                WorkPoolCreate(name=pool, type="process", base_job_template=template)
            )
        except ObjectAlreadyExists:
            return


def _names(pool: str) -> list[str]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    with get_client(sync_client=True) as client:
        found = client.read_deployments(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
        )
        flows = {one.flow_id: client.read_flow(one.flow_id).name for one in found}
    return sorted(f"{flows[one.flow_id]}/{one.name}" for one in found)
