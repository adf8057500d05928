"""A worker whose config spreads the training ends with what one device learns."""

import json
import os
import signal
import time

import keras
import pytest
from cases import run_python
from groups import finish_group, start_group
from small_run import assert_same_model, event, prepare, worker

from flows.group import LOST_PEER
from flows.journal import read_journal

BACKEND = keras.backend.backend()
KIND = {"tensorflow": "mirrored", "jax": "data_parallel", "torch": "multi_worker"}[BACKEND]
pytestmark = pytest.mark.slow  # test_group.py has what is quick


def run(folder):
    if KIND == "multi_worker":
        finish_group(start_group(worker(folder), BACKEND))
    else:
        run_python(worker(folder))
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = prepare(tmp_path_factory.mktemp("runs") / "alone")
    run_python(worker(folder))
    return folder


@pytest.fixture(scope="module")
def spread(alone):
    devices = [] if KIND == "multi_worker" else ["distribution.devices=2"]
    return run(prepare(alone.parent / "spread", f"distribution.kind={KIND}", *devices))


def test_the_model_is_that_of_one_device(alone, spread):
    assert (event(alone, "started")["devices"], event(spread, "started")["devices"]) == (1, 2)
    assert_same_model(spread, alone)
    ours, theirs = (event(one, "evaluation")["metrics"] for one in (spread, alone))
    assert ours["val/loss"] == pytest.approx(theirs["val/loss"], rel=1e-4)


def test_one_process_tells_and_writes_for_all(alone, spread):
    kinds = [e["kind"] for e in read_journal(spread / "journal.jsonl")]
    assert kinds == [e["kind"] for e in read_journal(alone / "journal.jsonl")]
    assert len(list(spread.glob("samples/*"))) == len(list(alone.glob("samples/*"))) > 0


def test_the_hardware_report_is_of_one_device_and_says_how_many(alone, spread):
    one, two = (json.loads((run / "hardware.json").read_text()) for run in (alone, spread))
    assert (one["devices"], two["devices"]) == (1, 2)
    assert two["step"]["operations"] == one["step"]["operations"] / 2
    assert two["step"]["bytes"] > one["step"]["bytes"] / 2  # each has all weights


@pytest.mark.parametrize("rank", [0, 1])
def test_a_group_that_lost_a_process_ends_and_goes_on_to_the_same_model(alone, tmp_path, rank):
    folder = prepare(tmp_path / "killed", "distribution.kind=multi_worker")
    processes = start_group(worker(folder), BACKEND)
    try:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoint/state.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(processes[rank].pid, signal.SIGKILL)
        _, err = processes[1 - rank].communicate(timeout=60)
        assert processes[1 - rank].returncode not in (0, None), err[-500:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert event(folder, "finished") is None
    finish_group(start_group(worker(folder), BACKEND))
    assert event(folder, "resumed") is not None
    assert_same_model(folder, alone)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["data.batch_size=7"], "data.batch_size must be a multiple of the 2 devices .* got 7"),
        (["distribution.devices=2"], "multi_worker has one device a process on torch"),
    ],
)
@pytest.mark.skipif(KIND != "multi_worker", reason="the messages are those of a group")
def test_what_cannot_be_spread_is_told(changes, message, tmp_path):
    import re

    folder = prepare(tmp_path / "odd", "distribution.kind=multi_worker", *changes)
    processes = start_group(worker(folder), BACKEND)
    lines = [process.communicate(timeout=120)[1].splitlines()[-1] for process in processes]
    codes = [process.returncode for process in processes]
    # Each finds the mistake, unless it notices before that the other one has gone.
    assert set(codes) <= {2, LOST_PEER}
    assert 2 in codes
    assert all(
        re.search(message, line) for line, code in zip(lines, codes, strict=True) if code == 2
    )
