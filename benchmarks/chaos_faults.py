"""What can fail around a training, for benchmarks/chaos.py: the place, its disk, and the faults."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
SIZE = "3G"  # of the disk; a run takes 20 MB
START_SECONDS = 240.0
FAULTS = ("training", "flow", "worker", "prefect", "mlflow", "up", "disk", "data")
_WORDS = {"worker": "worker", "prefect": "uvicorn", "mlflow": "mlflow"}


def may_mount():
    """Whether this process may mount a disk."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


class Disk:
    """A small file system in a file, which can be filled.

    Args:
        path: where it is mounted.
        mounted: or else it is a folder.
    """

    def __init__(self, path, *, mounted):
        self.path, self.mounted = path, mounted
        self.image, self.ballast = path.with_suffix(".img"), path / "ballast"

    def __enter__(self):
        self.path.mkdir(exist_ok=True)
        if self.mounted:
            self.image.touch()
            os.truncate(self.image, int(SIZE[:-1]) << 30)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(self.image)], check=True)
            subprocess.run(["mount", "-o", "loop", str(self.image), str(self.path)], check=True)
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True)
            self.image.unlink()

    def fill(self):
        """Take every free byte."""
        with suppress(OSError), self.ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def free(self):
        """Give them back."""
        self.ballast.unlink(missing_ok=True)


class Site:
    """`zoo up` on a disk, with a deployment a backend, and what can be done to it.

    Args:
        folder: for what is not on the disk: data, deployments, output.
        disk: the home is on it.
    """

    def __init__(self, folder, disk):
        self.disk, self.home = disk, disk.path / "home"
        self.data, self.output = folder / "data", folder / "up.log"
        self.deployments = folder / "prefect.yaml"
        self.ports = _free_port(), _free_port()
        self.prefect, self.mlflow = (f"http://127.0.0.1:{port}" for port in self.ports)
        self._full_until, self._cut = None, None

    def __enter__(self):
        convert = ["data", "convert", "bananas", str(self.data), "--limit", "32"]
        subprocess.run([sys.executable, "-m", "flows.cli", *convert], check=True, cwd=ROOT)
        self.deployments.write_text(yaml.safe_dump(_deployments(self.data), sort_keys=False))
        os.environ["PREFECT_API_URL"] = f"{self.prefect}/api"
        self.output.write_bytes(b"")
        self._start()
        return self

    def __exit__(self, *_):
        self.mend()
        self.up.terminate()
        self.up.wait(timeout=120)

    def start(self, backend):
        """Put a run of a backend into the queue; return its id."""
        from prefect.deployments import run_deployment

        return run_deployment(f"train/{backend}", timeout=0, as_subflow=False).id

    def state(self, flow_run):
        """Return its state; None where the server is away."""
        with suppress(Exception):
            return self.flow_run(flow_run).state
        return None

    def flow_run(self, flow_run):
        """Return what Prefect tells of a run."""
        with _client() as client:
            return client.read_flow_run(flow_run)

    def folder(self, flow_run):
        """Return its folder; None where it has none."""
        from flows.run_folder import RunFolder

        for path in (self.home / "runs").glob("*/flow_run"):
            if path.read_text() == str(flow_run):
                return RunFolder(path.parent)
        return None

    def mlflow_client(self):
        """Return a client of MLflow's server."""
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.mlflow)

    def do(self, fault, flow_run, rng):
        """Let something fail; return what it was, or None where there is nothing yet to fail."""
        if fault == "disk":
            self.disk.fill()
            seconds = rng.uniform(5.0, 30.0)
            self._full_until = time.monotonic() + seconds
            return f"disk full for {seconds:.0f} s"
        if fault == "data":
            return self._cut_a_picture(rng)
        victim = self._victim(fault, flow_run)
        if victim is None:
            return None
        with suppress(psutil.Error):
            victim.kill()
            return f"kill -9 of {fault}"
        return None

    def tend(self):
        """Free the disk when its time is over, and start `zoo up` again where it has ended."""
        if self._full_until is not None and time.monotonic() > self._full_until:
            self._full_until = None
            self.disk.free()
        if self.up.poll() is not None and self._full_until is None:
            self._start()

    def mend(self):
        """Undo what has failed."""
        self._full_until = 0.0 if self._full_until is not None else None
        self.tend()
        if self._cut is not None:
            path, content = self._cut
            path.write_bytes(content)
            self._cut = None

    def left_running(self):
        """Return how many runs are not at an end, by Prefect and by MLflow."""
        with _client() as client:
            runs = client.read_flow_runs(limit=200)
            prefect = sum(run.state.name in ("Running", "Pending") for run in runs)
        client = self.mlflow_client()
        experiments = [one.experiment_id for one in client.search_experiments()]
        query = "attributes.status = 'RUNNING'"
        return {"Prefect": prefect, "MLflow": len(client.search_runs(experiments, query))}

    def left_behind(self):
        """Return the training processes that outlived their runs."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if "flows.worker" in words and any(str(self.home) in word for word in words):
                    found.append(process.pid)
        return found

    def version_files(self):
        """Return the `.keras` file of every registered version."""
        files = []
        client = self.mlflow_client()
        for version in client.search_model_versions():
            artifacts = client.get_model_version_download_uri(version.name, version.version)
            (file,) = Path(artifacts.removeprefix("file://")).rglob("*.keras")
            files.append(str(file))
        return files

    def _victim(self, fault, flow_run):
        if fault == "up":
            return self.up
        if fault == "flow":
            return _flow_process(flow_run)
        if fault == "training":
            return self._trainer(flow_run)
        for process in self.up.children():
            with suppress(psutil.Error):
                if _WORDS[fault] in process.cmdline():
                    return process
        return None

    def _trainer(self, flow_run):
        folder = self.folder(flow_run)
        with suppress(OSError, ValueError, AttributeError, psutil.Error):
            process = psutil.Process(int(folder.worker_pid.read_text()))
            if str(folder.path) in process.cmdline():
                return process
        return None

    def _cut_a_picture(self, rng):
        path = rng.choice(sorted((self.data / "train").glob("*.*")))
        content = path.read_bytes()
        self._cut = path, content
        os.truncate(path, len(content) // 2)
        return f"{path.name} cut in half"

    def _start(self):
        command = [sys.executable, "-m", "flows.cli", "up", "--home", str(self.home)]
        command += ["--prefect-port", str(self.ports[0]), "--mlflow-port", str(self.ports[1])]
        command += ["--prefect-file", str(self.deployments)]
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
        before = len(self.output.read_text(errors="replace"))
        with self.output.open("ab") as output:
            self.up = psutil.Popen(
                command, cwd=ROOT, env=outside, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while "Worker" not in self.output.read_text(errors="replace")[before:]:
            if self.up.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(self.output.read_text(errors="replace"))
            time.sleep(0.2)


def _flow_process(flow_run):
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("PREFECT__FLOW_RUN_ID") == str(flow_run):
                words = " ".join(process.cmdline())
                if "prefect" in words and "flows.worker" not in words:
                    return process
    return None


def _deployments(data):
    def one(backend):
        return {
            "name": backend,
            "entrypoint": "flows/train.py:train",
            "parameters": {"config": _config(backend, data), "again": True},
            "work_pool": {
                "name": "zoo",
                "work_queue_name": "device-0",
                "job_variables": {"env": {"KERAS_BACKEND": backend}},
            },
        }

    pull = {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
    backends = ("torch", "tensorflow", "jax")
    return {"name": "chaos", "pull": [pull], "deployments": [one(name) for name in backends]}


def _config(backend, data):
    from flows.config import load_config

    changes = {
        "name": f"chaos_{backend}",
        "backend": backend,
        "data": json.dumps(
            {"name": "coco", "path": str(data), "image_size": 96, "max_boxes": 4, "batch_size": 8}
        ),
        "train.epochs": 16,
        "train.optimizer": "{name: adamw, learning_rate: 0.003}",
        "train.loss": "{name: multibox}",
        "train.evaluate_every": 5,
        "train.checkpoint_steps": 8,
    }
    overrides = [f"{key}={value}" for key, value in changes.items()]
    return load_config(ROOT / "configs" / "smoke.yaml", overrides).model_dump(mode="json")


@contextmanager
def _client():
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
