"""Processes on this machine that train one run: started together, ended together, started again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest
from cases import ROOT, run_python

import zoo
from flows import group
from flows.config import ConfigError, config_hash, dump_config, load_config
from flows.journal import last_event, read_journal
from flows.runtime import worker_environment
from zoo.training.distribution import find_place, heartbeat

BACKEND = keras.backend.backend()

STAND_IN = """
import os, sys, time
rank, what = int(os.environ["RANK"]), sys.argv[2]
if what == "mistake" and rank == 1:
    sys.exit(2)
if what == "crash" and rank == 1:
    os.kill(os.getpid(), 9)
if what == "loses" and rank == 1:
    open("loses.gone", "w").close()
    os.kill(os.getpid(), 9)
if what == "loses":  # it hears of it
    while not os.path.exists("loses.gone"):
        time.sleep(0.01)
    sys.exit(75)
open(f"{what}.{rank}", "w").write(str(os.getpid()))
time.sleep(0.2 if what == "done" else 60)
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(group, "WORKER", (sys.executable, "stand_in.py"))
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


@pytest.mark.any_backend
@pytest.mark.parametrize(("what", "code"), [("done", 0), ("mistake", 2), ("crash", 1)])
def test_a_group_ends_with_its_first_bad_end(stand_in, capfd, what, code):
    started = time.monotonic()
    assert group.main([what, "3"]) == code
    assert time.monotonic() - started < 30, "a process that slept was waited for"
    told = "process 1 of 3 was killed (out of memory?); the others are ended\n"
    assert capfd.readouterr().err == (told if code == 1 else "")
    for file in stand_in.glob(f"{what}.*"):
        assert not psutil.pid_exists(int(file.read_text()))


@pytest.mark.any_backend
def test_the_one_that_was_lost_is_told_of_not_those_that_lost_it(stand_in, capfd):
    assert heartbeat.LOST_PEER == group.LOST_PEER
    assert group.main(["loses", "2"]) == 1
    assert "process 1 of 2 was killed" in capfd.readouterr().err


@pytest.mark.any_backend
def test_every_launcher_s_variables_name_the_same_place():
    first, second = group.places(2)
    for names in (
        ("TF_CONFIG",),
        ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"),
    ):
        place = find_place({name: second[name] for name in names})
        assert (place.rank, place.size) == (1, 2)
        assert place.address == find_place(first).address


@pytest.mark.any_backend
def test_workers_need_a_kind_and_do_not_make_another_run():
    with pytest.raises(ConfigError, match=r"workers are for kind multi_worker; got kind none, 2"):
        load_config("configs/smoke.yaml", ["distribution.workers=2"])
    spread = ["distribution.kind=multi_worker"]
    two = load_config("configs/smoke.yaml", [*spread, "distribution.workers=2"])
    assert config_hash(two) == config_hash(load_config("configs/smoke.yaml", spread))


@pytest.mark.any_backend
def test_the_command_is_not_for_a_launcher():
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "train", "configs/smoke.yaml"],
        cwd=ROOT,
        env=worker_environment(BACKEND) | {"RANK": "0", "WORLD_SIZE": "2"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 2
    assert "zoo train CONFIG --workers N" in done.stderr
    assert "Traceback" not in done.stderr


CHANGES = [
    "train.optimizer={name: sgd, learning_rate: 1.0e-4, momentum: 0.9}",
    "distribution.synchronized=true",
    "train.epochs=4",
    # It learns next to nothing: the first evaluation stays the best, the third is the last.
    "train.early_stopping={patience: 2, min_delta: 0.5}",
]


def train_alone(folder):
    """Train with one worker; return the folder."""
    folder.mkdir()
    config = load_config(ROOT / "configs/smoke.yaml", CHANGES, backend=BACKEND)
    (folder / "config.yaml").write_text(dump_config(config))
    run_python(["-m", "flows.worker", "train", str(folder)])
    return folder


def train_together(folder):
    """Run `zoo train --workers 2` in a folder; return what it prints."""
    folder.mkdir()
    arguments = ["train", str(ROOT / "configs/smoke.yaml"), "--workers", "2", "--json"]
    for change in CHANGES:
        arguments += ["--set", change]
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments, "--backend", BACKEND],
        cwd=folder,
        env=worker_environment(BACKEND) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def weights(folder):
    return zoo.load(f"{folder}/model.keras").get_weights()


def kill_a_rank(runs, killed, rank="1"):
    """Kill a process of the group as soon as there is a checkpoint."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not killed:
        for checkpoint in runs.glob("*/checkpoint/state.npz"):
            for process in psutil.process_iter():
                try:
                    if str(checkpoint.parents[1]) in process.cmdline() and (
                        process.environ().get("RANK") == rank
                    ):
                        os.kill(process.pid, signal.SIGKILL)
                        killed.append(process.pid)
                        return
                except (psutil.Error, ProcessLookupError):
                    continue
        time.sleep(0.02)


@pytest.mark.slow
def test_a_run_of_two_that_lost_one_ends_as_the_run_of_one(tmp_path):
    one = train_alone(tmp_path / "one")
    killed = []
    killer = threading.Thread(target=kill_a_rank, args=(tmp_path / "two/mlruns/runs", killed))
    killer.start()
    two = train_together(tmp_path / "two")
    killer.join()
    assert killed, "no process was killed: nothing was shown"
    events = read_journal(Path(two["run_dir"]) / "journal.jsonl")
    assert last_event(events, "started")["devices"] == 2
    assert last_event(events, "resumed") is not None
    for told in (events, read_journal(one / "journal.jsonl")):
        stopped = last_event(told, "stopped")
        assert (stopped["step"], stopped["best_step"]) == (12, 4)
        assert last_event(told, "published")["step"] == 4
        assert last_event(told, "finished")["step"] == 12
    for got, wanted in zip(weights(two["run_dir"]), weights(one), strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-5)
