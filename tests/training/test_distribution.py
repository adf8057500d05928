"""Every kind of distribution trains as one device does at the whole batch.

Each runs tests/training/spread.py in processes of its own. Where gradients of parts are summed in
another order, rounding differs; what it may come to is stated a case.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from flows.runtime import worker_environment
from tests.cases import ROOT, run_python
from zoo.training.distribution import build_distribution, find_place

BACKEND = keras.backend.backend()
KINDS = {
    "tensorflow": ("mirrored", "multi_worker"),
    "jax": (
        "data_parallel",
        pytest.param("model_parallel", marks=pytest.mark.slow),
        "multi_worker",
    ),
    "torch": ("multi_worker",),
}[BACKEND]
# of weights, and, relative, of what is reported: an anchor's class may change by rounding
TOLERANCES = {
    "ssd": (2e-6, 1e-4),
    "ssd_clipped": (2e-6, 1e-4),
    "fcn": (5e-6, 1e-4),
    "ssd_norm": (1e-5, 1e-3),
    "classifier": (1e-5, 1e-4),
    "ssd_bfloat16": (2e-3, 2e-2),
}
PROGRAM = "tests/training/spread.py"

# What is said of processes takes seconds on PyTorch, and minutes where every process compiles.
_slow_elsewhere = (lambda test: test) if BACKEND == "torch" else pytest.mark.slow


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def group(arguments, size=2):
    """Start the processes of a group; return them."""
    ports = free_ports(size)
    workers = [f"127.0.0.1:{port}" for port in ports]
    processes = []
    for rank in range(size):
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ports[0])}
        place |= {"RANK": str(rank), "WORLD_SIZE": str(size), "CUDA_VISIBLE_DEVICES": "-1"}
        if BACKEND == "tensorflow":
            task = {"type": "worker", "index": rank}
            place["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
        processes.append(
            subprocess.Popen(
                [sys.executable, PROGRAM, *arguments],
                env=worker_environment(BACKEND) | place,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def finish(processes):
    """Wait for a group, check that it ended well, and return what the leader printed."""
    answers = [process.communicate(timeout=280) for process in processes]
    for process, (_, err) in zip(processes, answers, strict=True):
        assert process.returncode == 0, err[-3000:]
    return json.loads(answers[0][0].splitlines()[-1])


def train(folder, kind, cases, *more):
    arguments = [str(folder), kind, "2", ",".join(cases), *more]
    if kind == "multi_worker":
        arguments[2] = "0"
        return finish(group(arguments))
    if kind == "none":
        arguments[2] = "0"
    answer = run_python([PROGRAM, *arguments], CUDA_VISIBLE_DEVICES="-1")
    return json.loads(answer.splitlines()[-1])


def begin_like(alone, folder):
    """Let a training begin with the weights of another one."""
    folder.mkdir()
    for start in alone.glob("*.start.npz"):
        (folder / start.name).write_bytes(start.read_bytes())
    return folder


def weights(folder, case, rank=0):
    with np.load(folder / f"{case}.{rank}.npz") as file:
        return [file[name] for name in file.files]


def distance(left, right):
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    assert train(folder, "none", TOLERANCES)["devices"] == 1
    return folder


@pytest.fixture(scope="module", params=KINDS)
def spread(request, alone):
    folder = begin_like(alone, alone.parent / f"{alone.name}-{request.param}")
    assert train(folder, request.param, TOLERANCES)["devices"] == 2
    return folder


@pytest.mark.parametrize("case", TOLERANCES)
def test_weights_are_those_of_one_device(alone, spread, case):
    expected = weights(alone, case)
    with np.load(alone / f"{case}.start.npz") as file:
        moved = distance(expected, [file[name] for name in file.files])
    allowed = TOLERANCES[case][0]
    assert moved > 100 * allowed, "the steps moved little: little is compared"
    for file in spread.glob(f"{case}.[01].npz"):
        assert distance(weights(spread, case, file.stem[-1]), expected) < allowed


@pytest.mark.parametrize("case", TOLERANCES)
def test_what_is_reported_is_that_of_one_device(alone, spread, case):
    expected, told = (json.loads((f / f"{case}.json").read_text()) for f in (alone, spread))
    assert [event[:2] for event in told] == [event[:2] for event in expected]
    for (_, _, ours), (_, _, theirs) in zip(told, expected, strict=True):
        for name in ours.keys() - {"train/pictures_per_second"}:
            assert ours[name] == pytest.approx(theirs[name], rel=TOLERANCES[case][1]), name


@_slow_elsewhere
def test_a_group_goes_on_where_one_process_stopped(alone, tmp_path):
    folder = begin_like(alone, tmp_path / "resumed")
    train(folder, "none", ["ssd"], "stop")
    assert not (folder / "ssd.0.npz").exists()
    assert (folder / "ssd.checkpoint.npz").exists()  # after 2 of 5 steps
    train(folder, "multi_worker", ["ssd"])
    for rank in range(2):
        assert distance(weights(folder, "ssd", rank), weights(alone, "ssd")) < 2e-6
    events = [json.loads((f / "ssd.json").read_text()) for f in (folder, alone)]
    whole_epoch = [found[-1][2]["train/loss"] for found in events]
    assert whole_epoch[0] == pytest.approx(whole_epoch[1], rel=1e-5)


@_slow_elsewhere
def test_one_process_goes_on_where_a_group_stopped(alone, tmp_path):
    folder = begin_like(alone, tmp_path / "resumed")
    train(folder, "multi_worker", ["ssd"], "stop")
    train(folder, "none", ["ssd"])
    assert distance(weights(folder, "ssd"), weights(alone, "ssd")) < 2e-6


@_slow_elsewhere
def test_processes_that_are_not_attached_train_apart(alone, tmp_path):
    """What the distribution is for: Keras' `fit` alone would not say so."""
    folder = begin_like(alone, tmp_path / "apart")
    for rank in range(2):
        share = {"SPREAD_SHARE": f"[{rank}, 2]"}
        (folder / f"{rank}").mkdir()
        begin_like(alone, folder / f"{rank}" / "run")
        run_python([PROGRAM, str(folder / f"{rank}" / "run"), "none", "0", "ssd"], **share)
    ranks = [weights(folder / f"{rank}" / "run", "ssd") for rank in range(2)]
    assert distance(*ranks) > 1e-3


@_slow_elsewhere
def test_a_process_whose_peer_is_killed_ends(alone, tmp_path):
    folder = begin_like(alone, tmp_path / "killed")
    first, second = group([str(folder), "multi_worker", "0", ",".join(TOLERANCES)])
    try:
        deadline = time.monotonic() + 120
        while not (folder / "ssd.checkpoint.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(second.pid, signal.SIGKILL)
        _, err = first.communicate(timeout=130)
        assert first.returncode not in (0, None), err[-500:]
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()


PLACES = {
    "alone": ({}, (0, 1, 0)),
    "torchrun": (
        {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "5"},
        (3, 4, 1),
    ),
    "slurm": (
        {"SLURM_PROCID": "2", "SLURM_NTASKS": "8", "SLURM_LOCALID": "2", "MASTER_ADDR": "a"},
        (2, 8, 2),
    ),
    "jax": (
        {
            "JAX_PROCESS_ID": "1",
            "JAX_NUM_PROCESSES": "2",
            "JAX_COORDINATOR_ADDRESS": "a:5",
        },
        (1, 2, 0),
    ),
    "tensorflow": (
        {"TF_CONFIG": '{"cluster": {"worker": ["a:5", "b:5"]}, "task": {"index": 1}}'},
        (1, 2, 0),
    ),
}


@pytest.mark.any_backend
@pytest.mark.parametrize("name", PLACES)
def test_the_place_is_what_the_launcher_says(name):
    environment, wanted = PLACES[name]
    place = find_place(environment)
    assert (place.rank, place.size, place.local_rank) == wanted
    assert name == "alone" or place.address.startswith("a:")


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RANK": "two", "WORLD_SIZE": "2", "MASTER_ADDR": "a"}, "RANK must be a whole number"),
        (
            {"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "a"},
            "less than the 2 processes .* got 2",
        ),
        ({"TF_CONFIG": "{}"}, "TF_CONFIG must be JSON with cluster.worker"),
    ],
)
def test_odd_places_are_told(environment, message):
    with pytest.raises(ValueError, match=message):
        find_place(environment)


def test_what_a_backend_has_not_is_refused():
    kind = {"tensorflow": "model_parallel", "jax": "mirrored", "torch": "tpu"}[BACKEND]
    with pytest.raises(ValueError, match=f"distribution {kind} is for .* runs {BACKEND}"):
        build_distribution(kind)
    with pytest.raises(ValueError, match=r"must be one of none, mirrored, .*; got 'many'"):
        build_distribution("many")
