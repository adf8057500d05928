"""The deployments of `prefect.yaml` on a Prefect server: work pool, deployments, automations.

`prefect deploy` does the middle part alone and asks for the work pool to be there; `deploy` does
all of it, and again changes nothing. Words: a *deployment* is a flow with its parameters, schedules
and environment, known to the server; a *work pool* is where its runs wait; a Prefect *worker* takes
them from there and starts a process for each. A *queue* of the pool stands for a device, because a
training takes the whole of it: one run at a time goes through. (A worker's own `--limit 1` would do
for one machine, but a worker of Prefect 3.8 dies of it when a run that crashed comes back at once.)
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from flows.config import load_config
from flows.runtime import UserError, controller_environment
from flows.sweep_config import load_sweep

POOL = "zoo"
QUEUE = "device-0"
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


def read_sweep(path: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a sweep for a deployment, as `read_config` does a config: `sweep` and `project`."""
    sweep = load_sweep(path, overrides)
    return {"sweep": sweep.model_dump(mode="json"), "project": str(Path.cwd())}


def deploy(
    pool: str = POOL, prefect_file: Path = PREFECT_FILE, notify: str | None = None
) -> list[str]:
    """Make the work pool, apply the deployments and the automations to the server that is named.

    Args:
        pool: stands for the one that the file names.
        prefect_file: the deployments.
        notify: a URL that the server posts to when a gate refuses; None: as it was before.

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
    from flows.notifications import call_on_refusal
    from flows.recovery import recover

    if notify is not None and not notify.startswith(("http://", "https://")):
        raise UserError(f"--notify: expected an http:// or https:// address; got {notify}")
    _require_server()
    described = _read(prefect_file, pool)
    make_pool(
        pool, sorted({one["work_pool"]["work_queue_name"] for one in described["deployments"]})
    )
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(described, file, sort_keys=False)
        file.flush()
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        done = subprocess.run(
            [*command, "--prefect-file", file.name],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise UserError(f"{prefect_file}: {_complaint(done.stdout + done.stderr)}")
    apply_automations(pool)
    if notify is not None:
        call_on_refusal(notify)
    recover(pool)
    return deployed(pool)


def _read(prefect_file: Path, pool: str) -> dict[str, Any]:
    """Return the description, with every deployment in the pool and in a queue of it."""
    try:
        described = yaml.safe_load(prefect_file.read_text(encoding="utf-8"))
        for deployment in described["deployments"]:
            places = deployment.setdefault("work_pool", {})
            places |= {"work_queue_name": QUEUE} | places | {"name": pool}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{prefect_file}: expected a list of `deployments`; got {type(error).__name__}: {error}"
        ) from None
    return described


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


def make_pool(pool: str, queues: Sequence[str] = (QUEUE,)) -> None:
    """Make the work pool and its queues, each for one run at a time; what there is, stays."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(
                WorkPoolCreate(name=pool, type="process", base_job_template=template)
            )
        for queue in queues:
            with suppress(ObjectAlreadyExists):
                client.create_work_queue(queue, work_pool_name=pool, concurrency_limit=1)


def deployed(pool: str) -> list[str]:
    """Return the deployments of a work pool, as `flow/deployment`."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    with get_client(sync_client=True) as client:
        found = client.read_deployments(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
        )
        flows = {one.flow_id: client.read_flow(one.flow_id).name for one in found}
    return sorted(f"{flows[one.flow_id]}/{one.name}" for one in found)
