"""A real sweep on Ray: eight short trials, the driver killed in the middle, its best registered."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import psutil
import pytest
import yaml
from mlflow.tracking import MlflowClient

from flows.config import load_config
from flows.journal import read_journal
from flows.tracking_store import open_store

pytestmark = [pytest.mark.any_backend, pytest.mark.slow]
CONFIGS = Path(__file__).parents[2] / "configs"
BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")


def sweep_file(folder):
    """Write a sweep of a sound range of rates beside hopeless ones; return the file."""
    values = {
        "name": "rates",
        "base": str(CONFIGS / "smoke.yaml"),
        "space": {
            "train.optimizer.learning_rate": {
                "kind": "choice",
                "values": [0.02, 0.01, 1.0e-9, 1.0e-8],
            }
        },
        "metric": "loss",
        "direction": "minimize",
        "trials": 8,
        "sampler": {"name": "random", "seed": 28},
        "pruner": {"name": "median", "startup_trials": 2},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def start(folder):
    command = [sys.executable, "-P", "-m", "flows.cli", "sweep", "sweep.yaml", "--json"]
    command += ["--backend", BACKEND, "--set", "base.train.epochs=3"]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition, process, seconds=400):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)


def events(home, kind):
    """Return, by folder, a kind of event in the journals of the sweep and its trials."""
    found = defaultdict(list)
    for path in (home / "runs").glob("rates-*/**/journal.jsonl"):
        found[path.parent.name] = [one for one in read_journal(path) if one["kind"] == kind]
    return found


def trials_under_way(home):
    """Return the trials of the best rate, which is not pruned, between two of their epochs."""
    return [
        path.parent.name
        for path in (home / "runs").glob("rates-*/trial-*/config.yaml")
        if load_config(path).train.optimizer.learning_rate == 0.02
        and 5 <= max((e["step"] for e in events(home, "step")[path.parent.name]), default=0) < 11
    ]


def test_a_sweep_prunes_survives_its_driver_and_registers_a_challenger(home):
    sweep_file(home.parent)
    driver = start(home.parent)

    def in_the_middle():
        ended = sum(map(len, events(home, "trial").values()))
        return ended >= 2 and trials_under_way(home)

    wait_for(in_the_middle, driver)
    before = {name: found for name, found in events(home, "finished").items() if found}
    family = psutil.Process(driver.pid).children(recursive=True)
    workers = [one for one in family if "flows.worker" in " ".join(one.cmdline())]
    for process in [psutil.Process(driver.pid), *workers]:
        process.send_signal(signal.SIGKILL)
    driver.communicate()
    assert driver.returncode == -signal.SIGKILL
    psutil.wait_procs(family, timeout=60)
    under_way = trials_under_way(home)
    assert under_way

    printed, told = (again := start(home.parent)).communicate(timeout=550)
    assert again.returncode == 0, told
    summary = json.loads(printed)
    states = Counter(trial["state"] for trial in summary["trials"])
    assert sum(states.values()) == 8
    assert set(states) == {"complete", "pruned"}
    assert all(trial["epochs"] < 3 for trial in summary["trials"] if trial["state"] == "pruned")
    for name in under_way:  # from its checkpoint, each step once
        assert events(home, "resumed")[name]
        steps = [event["step"] for event in events(home, "step")[name]]
        assert steps == list(range(1, len(steps) + 1))
    after = events(home, "finished")
    assert {name: after[name] for name in before} == before  # what was finished was let be
    assert_told_to_mlflow(home, summary)


def assert_told_to_mlflow(home, summary):
    with open_store(home) as uri:
        client = MlflowClient(uri)
        parent = client.get_run(summary["mlflow_run_id"])
        query = f"tags.mlflow.parentRunId = '{summary['mlflow_run_id']}'"
        nested = client.search_runs([parent.info.experiment_id], query)
        version = client.get_model_version_by_alias("smoke", "challenger")
        (model,) = client.search_registered_models("name = 'smoke'")
    assert parent.info.status == "FINISHED"
    assert len(nested) == 8
    found = {int(run.data.tags["trial"]): run for run in nested}
    for trial in summary["trials"]:
        run = found[trial["number"]]
        ends = {"complete": "FINISHED", "pruned": "KILLED"}
        assert run.info.status == ends[trial["state"]]
        assert run.data.tags["trial_state"] == trial["state"]
        rate = trial["parameters"]["train.optimizer.learning_rate"]
        assert float(run.data.params["train.optimizer.learning_rate"]) == rate
        assert run.data.metrics["val/loss"] == pytest.approx(trial["value"])
    complete = [trial for trial in summary["trials"] if trial["state"] == "complete"]
    best = min(complete, key=lambda trial: trial["value"])
    assert summary["best"] == best["number"]
    assert parent.data.tags["best_run"] == version.run_id == found[best["number"]].info.run_id
    assert list(model.aliases) == ["challenger"]  # the gate was not asked, there is no champion
    assert version.tags["gate"] == "not run"
    assert version.tags["gate_reasons"].startswith("the best of 8 trials")
    assert json.loads(version.tags["scores"]).keys() >= {"ap50"}  # scored anew, elsewhere
