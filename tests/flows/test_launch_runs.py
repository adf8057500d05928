"""What `zoo launch-file` writes, really started: a pod a process of this machine, a task a process.

Kubernetes and SLURM are stood in for by what they do to a process' environment; the names of pods
and the ports behind them become addresses of this machine, on which they are one and the same.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
from cases import ROOT
from groups import finish_group
from pods import host_names, job_spec, read_manifests, start_of

from flows.group import free_ports
from flows.journal import last_event, read_journal
from flows.launch import prepare
from flows.launch_kubernetes import render_job
from flows.launch_slurm import render_script

BACKEND = keras.backend.backend()
CHANGES = [
    "precision=float32",
    "train.optimizer={name: sgd, learning_rate: 1.0e-4, momentum: 0.9}",
]
HAS = {"cpus": 1, "memory": 4}


def launch_of(home, *changes, **has):
    return prepare(
        ROOT / "configs/smoke.yaml", [*CHANGES, *changes], BACKEND, home=str(home), **HAS | has
    )


def start_pod(manifests, spec, index, volume):
    """Start a pod's container as a process, on the volume and with the config mounted."""
    environment, command = start_of(spec, index)
    mounted = volume.parent / "etc"
    mounted.mkdir(exist_ok=True)
    (mounted / "config.yaml").write_text(manifests["ConfigMap"]["data"]["config.yaml"])
    environment = dict(
        zip(environment, here(manifests, "\0".join(environment.values())).split("\0"), strict=True)
    )
    command = [word.replace("/etc/zoo", str(mounted)) for word in command]
    programs = {"python": [sys.executable], "zoo": [sys.executable, "-m", "flows.cli"]}
    kept = ("PATH", "HOME", "ZOO_DATA_DIR", "LD_LIBRARY_PATH", "JAX_DISABLE_MOST_OPTIMIZATIONS")
    mine = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.Popen(
        [*programs[command[0]], *command[1:]],
        env=environment | mine | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"},
        cwd=volume,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def here(manifests, text):
    """Replace pods' names and ports by this machine's, as a cluster's DNS and network do."""
    hosts = host_names(manifests)
    for host, port in zip(hosts, manifests["ports"], strict=True):
        text = text.replace(f"{host}:29400", f"127.0.0.1:{port}")
    return text.replace(hosts[0], "127.0.0.1").replace("29400", str(manifests["ports"][0]))


@pytest.mark.slow
def test_the_pods_of_a_job_train_as_one_group_and_are_followed_into_mlflow(tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    store = f"sqlite:///{volume}/mlflow.db"
    launch = launch_of(volume / "mlruns", nodes=2, gpus=0)
    text = render_job(launch, image="i", claim="c", mount=str(volume), mlflow=store)
    manifests = read_manifests(text)
    manifests["ports"] = free_ports(2)
    pods = [start_pod(manifests, job_spec(manifests), index, volume) for index in range(2)]
    follower = start_pod(manifests, manifests["Follower"]["spec"], 0, volume)
    try:
        finish_group(pods)
        out, err = follower.communicate(timeout=200)
    finally:
        for process in (*pods, follower):
            process.kill()
    assert follower.returncode == 0, err[-3000:]
    summary = json.loads(out)
    assert summary["run_dir"] == str(launch.folder)
    assert summary["version"] == "1"
    assert summary["tracking_uri"] == store
    events = read_journal(Path(launch.folder) / "journal.jsonl")
    assert last_event(events, "started")["devices"] == 2
    assert not (Path(launch.folder) / "worker.pid").exists(), "the follower started a worker"


def submit(script, folder, *, nodes, tasks, python=None):
    """Run a script of sbatch's with the stand-in for srun; return the finished process."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    stand_in = ROOT / "tests/flows/stand_in_srun.py"
    (programs / "srun").write_text(
        f'#!/bin/sh\nexec {shlex.join([sys.executable, str(stand_in)])} "$@"\n'
    )
    (programs / "python").write_text(python or f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    launched = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TF_CONFIG")
    environment = {name: value for name, value in os.environ.items() if name not in launched}
    return subprocess.run(
        ["bash"],
        input=script,
        cwd=folder,
        env=environment
        | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        | {"SLURM_NTASKS": str(nodes * tasks), "SLURM_PROCID": "0"}  # of the script itself
        | {"STAND_IN_NODES": str(nodes), "STAND_IN_TASKS": str(tasks)},
        capture_output=True,
        text=True,
        timeout=400,
    )


@pytest.mark.slow
def test_the_tasks_of_a_script_train_as_one_group(tmp_path):
    nodes, tasks = (2, 1) if BACKEND == "jax" else (1, 2)
    launch = launch_of(tmp_path / "mlruns", nodes=nodes, gpus=tasks)
    done = submit(render_script(launch), tmp_path, nodes=nodes, tasks=tasks)
    assert done.returncode == 0, done.stderr[-3000:]
    events = read_journal(Path(launch.folder) / "journal.jsonl")
    assert last_event(events, "started")["devices"] == 2
    assert (Path(launch.folder) / "model.keras").exists()


STUB = """#!/bin/sh
echo $SLURM_PROCID >> starts
[ -e again ] && exit 0
if [ $SLURM_PROCID = 1 ]; then sleep 0.3; touch again; {end}; fi
exec sleep 60
"""


@pytest.mark.any_backend
def test_a_group_of_tasks_that_lost_one_starts_again(tmp_path):
    launch = launch_of(tmp_path / "mlruns", "data.batch_size=9", nodes=3, gpus=1)
    stub = STUB.format(end="kill -9 $$")
    began = time.monotonic()
    done = submit(render_script(launch), tmp_path, nodes=3, tasks=1, python=stub)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 50, "tasks that slept were waited for"
    assert sorted((tmp_path / "starts").read_text().split()) == ["0", "0", "1", "1", "2", "2"]
    # SLURM tells the highest code: that of the tasks it ended.
    assert done.stdout == f"start 1 of the group ended with code {128 + signal.SIGTERM}\n"


@pytest.mark.any_backend
@pytest.mark.parametrize("told", ["", """echo '{"kind": "failed"}' > $4/journal-1.jsonl;"""])
def test_a_mistake_is_not_tried_again(tmp_path, told):
    """Told by the exit code, or, where that of an ended task is higher, by the journal."""
    launch = launch_of(tmp_path / "mlruns", nodes=2, gpus=1)
    stub = STUB.format(end=f"{told} exit 2")
    if not told:
        stub = stub.replace("exec sleep 60", "exit 0")
    done = submit(render_script(launch), tmp_path, nodes=2, tasks=1, python=stub)
    assert done.returncode == (2 if not told else 128 + signal.SIGTERM), done.stderr
    assert sorted((tmp_path / "starts").read_text().split()) == ["0", "1"]
