"""A real worker, killed with SIGKILL at random moments, ends as one that was left alone."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter

import keras
import numpy as np
import pytest

import zoo
from flows.config import dump_config, load_config
from flows.journal import REPEATED, JournalReader, read_journal
from flows.runtime import worker_environment

CONFIG = "configs/smoke.yaml"
CHANGES = [
    "train.epochs=3",
    "train.evaluate_every=3",
    "train.optimizer={name: adamw, learning_rate: 1.0e-3, weight_decay: 5.0e-4}",
    "train.schedule={name: cosine, warmup_steps: 3}",
    "train.loss={name: multibox, minimum_negatives: 8}",
    "data.augment=[flip]",
]
STEPS = 12  # 3 epochs of 32 pictures in batches of 8


def prepare(folder, checkpoint_steps):
    folder.mkdir()
    changes = [*CHANGES, f"train.checkpoint_steps={checkpoint_steps}"]
    config = load_config(CONFIG, changes, backend=keras.backend.backend())
    (folder / "config.yaml").write_text(dump_config(config))
    return folder


def start(folder):
    # A restarted JAX worker finds what the one before it compiled: half of its time.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder.parent.parent / "compiled")}
    cache |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.worker", "train", str(folder)],
            stdout=log,
            stderr=log,
            env=worker_environment(keras.backend.backend()) | cache,
        )


def finish(folder):
    code = start(folder).wait(timeout=400)
    assert code == 0, (folder / "worker.log").read_text()[-3000:]
    return folder


def kill_after(folder, events, delay):
    """Start a worker and kill it `delay` seconds after it wrote so many events; was it killed?"""
    known = read_journal(folder / "journal.jsonl")
    reader = JournalReader(folder / "journal.jsonl", after=known[-1]["seq"] if known else -1)
    process, seen = start(folder), 0
    deadline = time.monotonic() + 300
    while seen < events and process.poll() is None and time.monotonic() < deadline:
        seen += len(reader.poll())
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    return finish(prepare(tmp_path_factory.mktemp("runs") / "left_alone", 2))


def assert_ends_alike(killed, left_alone):
    weights = [zoo.load(run / "model.keras").get_weights() for run in (killed, left_alone)]
    for got, expected in zip(*weights, strict=True):
        # Observed on each backend on a CPU: not one bit differs.
        np.testing.assert_array_equal(got, expected)
    events = read_journal(killed / "journal.jsonl")
    assert [event["seq"] for event in events] == list(range(len(events)))
    once = Counter(
        (event["kind"], event["step"], event.get("path"))
        for event in events
        if "step" in event and event["kind"] not in REPEATED
    )
    assert set(once.values()) == {1}
    assert [e["step"] for e in events if e["kind"] == "step"] == list(range(1, STEPS + 1))
    assert_tells_the_same(events, read_journal(left_alone / "journal.jsonl"))


def assert_tells_the_same(events, expected):
    for kind in ("step", "epoch", "evaluation"):
        got, wanted = ([e for e in told if e["kind"] == kind] for told in (events, expected))
        for mine, theirs in zip(got, wanted, strict=True):
            for name, value in theirs["metrics"].items():
                if "per_second" not in name:
                    # Step losses are differences of running sums in float32.
                    assert mine["metrics"][name] == pytest.approx(value, rel=1e-4, abs=1e-5), name


def kill_often(folder, kills, seed):
    moments = random.Random(seed)
    killed = 0
    for _ in range(kills):
        killed += kill_after(folder, moments.randint(2, 9), moments.uniform(0, 0.3))
    finish(folder)
    assert killed >= 2, "the worker was done before it could be killed"
    assert any(e["kind"] == "resumed" for e in read_journal(folder / "journal.jsonl"))


@pytest.mark.slow  # tests/training/test_resume.py stops a training anywhere
def test_a_killed_worker_ends_with_the_weights_of_one_left_alone(left_alone, tmp_path):
    folder = prepare(tmp_path / "killed", checkpoint_steps=2)
    kill_often(folder, kills=2, seed=time.time_ns())
    assert_ends_alike(folder, left_alone)


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_steps", [1, 3])
def test_a_worker_killed_many_times_ends_alike(checkpoint_steps, left_alone, tmp_path):
    folder = prepare(tmp_path / "killed", checkpoint_steps)
    kill_often(folder, kills=6, seed=time.time_ns())
    assert_ends_alike(folder, left_alone)
