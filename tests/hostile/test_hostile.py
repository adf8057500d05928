"""Files that mean harm: a clear refusal each, and nothing else happens.

Each kind goes to its door in a process of its own (`doors.py`), which is watched.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.any_backend, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LEAST = {  # how many of each kind there are, 300 and more in all
    "pictures": 120,
    "annotations": 50,
    "configs": 70,
    "models": 30,
    "checkpoints": 40,
    "requests": 50,
}
ROOM = 600 * 2**20  # bytes above what the process had before: two pictures of the largest size


@pytest.fixture(scope="module", params=LEAST)
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "corpus"
    folder.mkdir()
    command = [sys.executable, "tests/hostile/doors.py", request.param, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-3000:]
    told = json.loads(answer.stdout.splitlines()[-1])
    return told | {"kind": request.param, "folder": folder}


def test_nothing_ends_in_a_traceback(report):
    crashed = [one for one in report["items"] if one["outcome"].startswith("CRASHED")]
    assert crashed == []
    assert len(report["items"]) >= LEAST[report["kind"]]


def test_every_refusal_says_something(report):
    empty = [one["name"] for one in report["items"] if one["outcome"].strip() == "refused:"]
    assert empty == []


def test_nobody_starts_a_process_calls_out_or_leaves_the_folder(report):
    assert [one for one in report["items"] if one["seen"]] == []
    assert not (report["folder"].parent / "pwned").exists()


def test_memory_is_bounded(report):
    assert report["peak"] - report["before"] < ROOM
