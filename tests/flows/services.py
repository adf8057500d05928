"""`zoo up` as a process on free ports, with the shipped deployments on the stand-in worker."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import psutil
from mlflow.tracking import MlflowClient
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, temporary_settings
from tracking_server import free_port

from flows.run_folder import RunFolder

PROJECT = Path(__file__).parents[2]


class Services:
    """A running `zoo up`.

    Args:
        home: the folder it keeps everything in.
        real: with the real worker and the shipped prefect.yaml as it is.
        environment: variables on top of this process's.
    """

    def __init__(self, home: Path, *, real=False, **environment):
        self.home = home
        ports = free_port(), free_port()
        self.prefect, self.mlflow = (f"http://127.0.0.1:{port}" for port in ports)
        self.output = home.with_suffix(".out")
        command = [sys.executable, "-m", "flows.cli", "up", "--home", str(home)]
        command += ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
        self.prefect_file = PROJECT / "prefect.yaml"
        if not real:
            self.prefect_file = stand_in_deployments(home.with_suffix(".yaml"))
        command += ["--prefect-file", str(self.prefect_file)]
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
        with self.output.open("wb") as output:
            self.process = psutil.Popen(
                command,
                cwd=PROJECT,
                env=outside | environment,
                stdout=output,
                stderr=output,
            )

    def wait_until_ready(self):
        wait_for(lambda: "Worker" in self.text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()
        return self

    def text(self):
        return self.output.read_text()

    @contextmanager
    def client(self):
        """Point Prefect at the server of this one."""
        with (
            temporary_settings({PREFECT_API_URL: f"{self.prefect}/api"}),
            get_client(sync_client=True) as client,
        ):
            yield client

    def start_run(self, deployment="train/smoke", config=None, **stand_in):
        """Have the worker run a deployment; return the flow run."""
        values = {} if config is None else {"config": config}
        with self.client():
            return run_deployment(
                deployment,
                parameters=values,
                timeout=0,
                as_subflow=False,
                job_variables={"env": {"STAND_IN": json.dumps(stand_in)}},
            )

    def state(self, flow_run):
        with self.client() as client:
            return client.read_flow_run(flow_run.id).state

    def wait_for_state(self, flow_run, *names, seconds=120):
        wait_for(lambda: self.state(flow_run).name in names, seconds)

    def folder(self, flow_run):
        """Return the folder of a flow run; None as long as it has none."""
        for path in (self.home / "runs").glob("*/flow_run"):
            if path.read_text() == str(flow_run.id):
                return RunFolder(path.parent)
        return None

    def mlflow_run(self, flow_run):
        state = json.loads(self.folder(flow_run).tracking.read_text())
        return MlflowClient(self.mlflow).get_run(state["run_id"])

    def family(self):
        """Return every process that `zoo up` has started, itself included."""
        return [self.process, *self.process.children(recursive=True)]

    def stop(self):
        """End it, by force where it does not end when told."""
        if self.process.poll() is None:
            family = self.family()
            self.process.terminate()
            _, left = psutil.wait_procs(family, timeout=60)
            for process in left:
                process.kill()


def stand_in_deployments(path: Path) -> Path:
    """Write the shipped deployments with the stand-in worker's flow; return the file."""
    text = (PROJECT / "prefect.yaml").read_text()
    stand_in = Path(__file__).with_name("stand_in_flow.py").relative_to(PROJECT)
    changed, count = re.subn(r"flows/train\.py:train", f"{stand_in}:train", text)
    assert count == 1
    # Every run has the same stand-in for data: the second one would be skipped.
    changed, count = re.subn(r"\bif_changed: true", "again: true", changed)
    assert count == 1
    path.write_text(changed)
    return path


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def kinds(folder: RunFolder) -> Counter:
    """Count the events of a run's journal by kind."""
    lines = folder.journal.read_text().splitlines()
    return Counter(json.loads(line)["kind"] for line in lines)


def run_prefect(services: Services, *arguments) -> subprocess.CompletedProcess:
    """Run Prefect's own command line against the server."""
    return _run(services, "-m", "prefect", "--no-prompt", *arguments)


def run_zoo(services: Services, *arguments) -> subprocess.CompletedProcess:
    """Run `zoo` against the server."""
    return _run(services, "-m", "flows.cli", *arguments)


def _run(services, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PREFECT_API_URL": f"{services.prefect}/api", "COLUMNS": "1000"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
