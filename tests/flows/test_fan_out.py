"""What is told before any task is sent: Ray is missing, nobody answers, no node has the room."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from tracking_server import free_port

from flows import fan_out
from flows.fan_out import Resources
from flows.fold_summary import spread
from flows.runtime import UserError
from flows.worker_process import WorkerError

pytestmark = pytest.mark.any_backend
PROJECT = Path(__file__).parents[2]
WITHOUT_RAY = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ray" else found(name, *rest)
from flows.cli import run
sys.exit(run(sys.argv[1:]))
"""


def node(address="127.0.0.1", **resources):
    return {"NodeManagerAddress": address, "Resources": resources}


@pytest.mark.parametrize(
    "command",
    [
        ("sweep", "configs/sweeps/smoke.yaml"),
        ("cross-validate", "configs/smoke.yaml"),
        ("batch-predict", "m.keras", "in", "--out", "out"),
    ],
    ids=lambda command: command[0],
)
def test_without_the_extra_a_line_says_how_to_get_it(command):
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, *command], capture_output=True, text=True, cwd=PROJECT
    )
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        "error: sweeps, cross-validation and batch prediction need ray; "
        "pip install 'keras-vision-zoo[ray]'"
    ]


def test_an_address_where_nobody_answers_is_told_at_once():
    for address in (f"127.0.0.1:{free_port()}", f"ray://127.0.0.1:{free_port()}", "nonsense"):
        with (
            pytest.raises(UserError, match="no Ray cluster to join"),
            fan_out.open_engine(address, Resources()),
        ):
            raise AssertionError("there is none")


def test_slots_are_what_the_nodes_have_room_for():
    nodes = [node(CPU=8.0, GPU=1.0), node(CPU=3.0)]
    assert fan_out._room(nodes, Resources(cpus=2)) == 5
    assert fan_out._room(nodes, Resources(cpus=0.5)) == 22
    assert fan_out._room(nodes, Resources(cpus=1, gpus=0.25)) == 4


def test_what_no_node_has_is_not_waited_for():
    with pytest.raises(UserError, match="2 GPU, which no node has; the nodes have 8 CPU, 1 GPU"):
        fan_out._room([node(CPU=8.0, GPU=1.0)], Resources(gpus=2))


def test_nodes_elsewhere_need_a_prefect_server_that_they_can_reach():
    nodes = [node(), node("192.0.2.77")]
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:4200/api"}):
        fan_out._require_server(nodes[:1])
        with pytest.raises(UserError, match=r"192\.0\.2\.77 cannot reach.*PREFECT_API_URL"):
            fan_out._require_server(nodes)
    with temporary_settings({PREFECT_API_URL: "http://192.0.2.1:4200/api"}):
        fan_out._require_server(nodes)


def test_what_ray_prints_of_a_lost_node_is_not_on_stdout(capsys):
    aside = fan_out._Aside()
    aside.write("(raylet) the node was ")
    aside.write("lost\n    [state-dump] 1\n\n")
    assert capsys.readouterr() == ("", "(raylet) the node was lost\n")


def test_a_workers_crash_comes_back_from_another_process_with_its_log():
    error = pickle.loads(pickle.dumps(WorkerError("it died", "all of it")))
    assert (str(error), error.log) == ("it died", "all of it")


def test_deviation_over_folds_is_that_of_a_sample_and_leaves_out_what_was_not_scored():
    mean, std = spread([{"ap50": 0.5, "ap_small": -1.0}, {"ap50": 0.7, "ap_small": 0.1, "x": 1.0}])
    assert mean == {"ap50": pytest.approx(0.6)}
    assert std == {"ap50": pytest.approx(0.02**0.5)}  # sqrt(((.1)^2 + (.1)^2) / 1)


def test_threads_are_as_many_as_the_task_asked_for(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS", raising=False)
    fan_out.share_processors()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "3"


@pytest.mark.slow
def test_tasks_run_on_a_ray_of_our_own_that_listens_to_nobody_else(tmp_path):
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "PREFECT_"))}
    outside.pop("OMP_NUM_THREADS", None)
    answer = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("ray_flow.py")), str(tmp_path)],
        capture_output=True,
        text=True,
        env=outside | {"PYTHONPATH": f"{PROJECT}{os.pathsep}{Path(__file__).parent}"},
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    *ran, unwell = found["told"]
    assert unwell == "the third is unwell"
    assert [one["number"] for one in ran] == [0, 1]
    assert found["pid"] not in {one["pid"] for one in ran}
    assert {one["threads"] for one in ran} == {"1"}
    assert found["slots"] >= 2
    assert {address.removeprefix("::ffff:") for address in found["listening"]} == {"127.0.0.1"}
