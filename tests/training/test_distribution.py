"""Every kind of distribution trains as one device does at the whole batch.

Each runs tests/training/spread.py in processes of its own. Where gradients of parts are summed in
another order, rounding differs; what it may come to is stated a case.
"""

import json
import os
import signal
import time

import keras
import numpy as np
import pytest
from cases import QUICK_ON_TORCH, run_python
from groups import finish_group, start_group

from zoo.training.distribution import build_distribution, find_place
from zoo.training.distribution.slurm import expand_hosts

BACKEND = keras.backend.backend()
KINDS = {
    "tensorflow": ("mirrored", "multi_worker"),
    "jax": ("data_parallel", "multi_worker", "model_parallel"),
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
QUICK = ("ssd_clipped", "classifier")
OTHER = tuple(case for case in TOLERANCES if case not in QUICK)
# Everything takes seconds on PyTorch, and minutes where every process compiles. Of devices of one
# process tests/models/test_replicas.py trains every task.
GROUPS = [
    pytest.param(
        (kind, cases),
        id=f"{kind}-{name}",
        marks=[QUICK_ON_TORCH if cases is QUICK else pytest.mark.slow],
    )
    for kind in KINDS
    for name, cases in (("quick", QUICK), ("other", OTHER))
]
PROGRAM = "tests/training/spread.py"


def train(folder, kind, cases, *more):
    arguments = [str(folder), kind, "2", ",".join(cases), *more]
    if kind == "multi_worker":
        arguments[2] = "0"
        return json.loads(
            finish_group(start_group([PROGRAM, *arguments], BACKEND)).splitlines()[-1]
        )
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
    """Return a function: case -> the folder of its training on one device."""
    folder = tmp_path_factory.mktemp("alone")

    def trained(cases):
        missing = [case for case in cases if not (folder / f"{case}.0.npz").exists()]
        if missing:
            assert train(folder, "none", missing)["devices"] == 1
        return folder

    return trained


@pytest.fixture(scope="module", params=[*GROUPS])
def spread(request, alone):
    """The cases of a group, and the folders of their trainings on one device and on two."""
    kind, cases = request.param
    one = alone(cases)
    two = begin_like(one, one.parent / f"{one.name}-{kind}-{cases[0]}")
    assert train(two, kind, cases)["devices"] == 2
    return cases, one, two


def test_weights_are_those_of_one_device(spread):
    cases, one, two = spread
    for case in cases:
        allowed = TOLERANCES[case][0]
        expected = weights(one, case)
        with np.load(one / f"{case}.start.npz") as file:
            moved = distance(expected, [file[name] for name in file.files])
        assert moved > 100 * allowed, f"{case}: the steps moved little: little is compared"
        for file in two.glob(f"{case}.[01].npz"):
            assert distance(weights(two, case, file.stem[-1]), expected) < allowed, case


def test_what_is_reported_is_that_of_one_device(spread):
    cases, one, two = spread
    for case in cases:
        expected, told = (json.loads((f / f"{case}.json").read_text()) for f in (one, two))
        assert [event[:2] for event in told] == [event[:2] for event in expected]
        for (_, _, ours), (_, _, theirs) in zip(told, expected, strict=True):
            for name in ours.keys() - {"train/pictures_per_second"}:
                assert ours[name] == pytest.approx(theirs[name], rel=TOLERANCES[case][1]), (
                    f"{case}: {name}"
                )


@pytest.mark.slow
def test_processes_end_alike_whatever_each_began_with_and_saw(tmp_path):
    train(tmp_path, "multi_worker", ["classifier_parts"])
    leader, other = (weights(tmp_path, "classifier_parts", rank) for rank in range(2))
    assert distance(leader, other) == 0.0  # moving statistics of different pictures included


@pytest.mark.slow
def test_a_group_goes_on_where_one_process_stopped(alone, tmp_path):
    folder = begin_like(alone(["ssd"]), tmp_path / "resumed")
    train(folder, "none", ["ssd"], "stop")
    assert not (folder / "ssd.0.npz").exists()
    assert (folder / "ssd.checkpoint.npz").exists()  # after 2 of 5 steps
    train(folder, "multi_worker", ["ssd"])
    for rank in range(2):
        assert distance(weights(folder, "ssd", rank), weights(alone(["ssd"]), "ssd")) < 2e-6
    events = [json.loads((f / "ssd.json").read_text()) for f in (folder, alone(["ssd"]))]
    whole_epoch = [found[-1][2]["train/loss"] for found in events]
    assert whole_epoch[0] == pytest.approx(whole_epoch[1], rel=1e-5)


@pytest.mark.slow
def test_one_process_goes_on_where_a_group_stopped(alone, tmp_path):
    folder = begin_like(alone(["ssd"]), tmp_path / "resumed")
    train(folder, "multi_worker", ["ssd"], "stop")
    train(folder, "none", ["ssd"])
    assert distance(weights(folder, "ssd"), weights(alone(["ssd"]), "ssd")) < 2e-6


@pytest.mark.slow
def test_processes_that_are_not_attached_train_apart(alone, tmp_path):
    """What the distribution is for: Keras' `fit` alone would not say so."""
    folder = begin_like(alone(["ssd"]), tmp_path / "apart")
    for rank in range(2):
        share = {"SPREAD_SHARE": f"[{rank}, 2]"}
        (folder / f"{rank}").mkdir()
        begin_like(alone(["ssd"]), folder / f"{rank}" / "run")
        run_python([PROGRAM, str(folder / f"{rank}" / "run"), "none", "0", "ssd"], **share)
    ranks = [weights(folder / f"{rank}" / "run", "ssd") for rank in range(2)]
    assert distance(*ranks) > 1e-3


@pytest.mark.slow  # tests/flows/test_group.py kills one too
def test_a_process_whose_peer_is_killed_ends(alone, tmp_path):
    folder = begin_like(alone(["ssd"]), tmp_path / "killed")
    arguments = [PROGRAM, str(folder), "multi_worker", "0", ",".join(TOLERANCES)]
    first, second = start_group(arguments, BACKEND)
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "model_parallel"])
def test_devices_leave_out_different_units(kind, tmp_path):
    """Alike, as the seeds are, no unit would be left out on one device only."""
    arguments = ["tests/training/masks.py", kind]
    if kind == "multi_worker":
        finish_group(start_group([*arguments, "0", str(tmp_path)], BACKEND))
    else:
        run_python([*arguments, "2", str(tmp_path)], CUDA_VISIBLE_DEVICES="-1")
    for file in tmp_path.glob("*.npy"):
        for units in np.load(file):
            shares = [np.mean(np.isclose(units, seen)) for seen in (0.0, 1.0, 2.0)]
            # Of 400 units a half, give or take: the deviation is .025
            assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.1)
        np.testing.assert_array_equal(units, np.load(tmp_path / "0.npy")[-1])
        assert not np.array_equal(*np.load(file))  # each step leaves out others


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
    "srun": (
        {
            "SLURM_JOB_ID": "260",
            "SLURM_PROCID": "5",
            "SLURM_NODEID": "2",
            "SLURM_LOCALID": "1",
            "SLURM_STEP_NODELIST": "a,gpu[09-10]",
            "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
        },
        (5, 6, 1),
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
def test_tasks_of_srun_know_the_addresses_of_all():
    """Which TensorFlow needs; 61440 + 260 * 16 % 4096 is the job's first port."""
    environment, _ = PLACES["srun"]
    hosts = ["a", "a", "gpu09", "gpu09", "gpu10", "gpu10"]
    ports = [61504, 61505] * 3
    workers = tuple(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))
    assert find_place(environment).workers == workers
    chosen = find_place(environment | {"MASTER_PORT": "5", "MASTER_ADDR": "b"})
    assert (chosen.address, chosen.workers[1]) == ("b:5", "a:6")


@pytest.mark.any_backend
def test_a_script_of_sbatch_is_no_rank():
    """It has its tasks' number, and starts programs that are not of a group."""
    batch = {"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0", "SLURM_NODELIST": "a"}
    assert find_place(batch).size == 1


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("login", ["login"]),
        ("n[1-3,07],m", ["n1", "n2", "n3", "n07", "m"]),
        ("gpu-[098-101]", ["gpu-098", "gpu-099", "gpu-100", "gpu-101"]),
        ("r[1-2]n[3,5]", ["r1n3", "r1n5", "r2n3", "r2n5"]),
    ],
)
def test_lists_of_hosts_are_written_out(text, hosts):
    """As `scontrol show hostnames` does."""
    assert expand_hosts(text) == hosts


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
        (
            {
                "SLURM_PROCID": "1",
                "SLURM_NODEID": "1",
                "SLURM_LOCALID": "0",
                "SLURM_STEP_NODELIST": "a,b",
                "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
            },
            "SLURM's task 1, number 0 of node 1, lies elsewhere than a block .*=block does",
        ),
    ],
)
def test_odd_places_are_told(environment, message):
    with pytest.raises(ValueError, match=message):
        find_place(environment)


def test_processes_that_would_train_apart_are_refused(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"number 1 of 2 .* train for itself; choose multi_worker"):
        build_distribution("none")


def test_what_a_backend_has_not_is_refused():
    kind = {"tensorflow": "model_parallel", "jax": "mirrored", "torch": "tpu"}[BACKEND]
    with pytest.raises(ValueError, match=f"distribution {kind} is for .* runs {BACKEND}"):
        build_distribution(kind)
    with pytest.raises(ValueError, match=r"must be one of none, mirrored, .*; got 'many'"):
        build_distribution("many")
