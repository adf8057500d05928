"""A worker process is followed by what it tells, and its end is told in one line."""

import os
import sys

import pytest

from flows.runtime import UserError
from flows.worker_process import WorkerError, run_verb

pytestmark = pytest.mark.any_backend


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Make the worker a shell script; it stands where the interpreter would."""

    def write(script):
        path = tmp_path / "worker"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    return write


def test_complete_results_come_back_with_the_mistakes(worker):
    worker("""echo 'a print of a library'
        echo '{"what": "x", "done": 1, "total": 2}'
        echo '{"wrote": "out"}'
        echo '{"mistake": "b.png: damaged"}'
        exit 2""")
    outcome = run_verb("predict", [], backend="auto")
    assert outcome.complete
    assert outcome.mistakes == ["b.png: damaged"]


def test_mistake_without_results_is_the_users(worker):
    worker("""echo 'WARNING: noise of a library' >&2
        echo '{"mistake": "m.keras: no such model"}'
        exit 2""")
    with pytest.raises(UserError, match=r"^m\.keras: no such model$"):
        run_verb("score", [], backend="auto")


def test_crash_is_told_with_its_last_line_and_keeps_the_log(worker):
    worker("echo 'Traceback: ...' >&2; echo 'RuntimeError: no memory' >&2; exit 1")
    with pytest.raises(WorkerError) as caught:
        run_verb("score", [], backend="auto")
    assert str(caught.value) == (
        "the tensorflow worker failed with exit code 1: RuntimeError: no memory"
    )
    assert caught.value.log.startswith("Traceback: ...")


def test_killed_worker_is_told(worker):
    worker("kill -9 $$")
    with pytest.raises(WorkerError, match=r"was killed \(out of memory\?\)"):
        run_verb("score", [], backend="auto")


def test_worker_that_ends_without_results_has_failed(worker):
    worker("exit 0")
    with pytest.raises(WorkerError, match="failed with exit code 0"):
        run_verb("score", [], backend="auto")


def test_worker_gets_the_backend_and_the_verb(worker, tmp_path):
    worker(f"""echo "$KERAS_BACKEND $*" > {tmp_path}/seen; echo '{{"wrote": "x"}}'""")
    run_verb("score", ["m.keras", "--data", "bananas"], backend="tensorflow")
    seen = (tmp_path / "seen").read_text()
    assert seen == "tensorflow -P -m flows.worker score m.keras --data bananas\n"


def test_absent_backend_is_told_before_a_process_starts(worker, monkeypatch):
    worker(f"touch {os.devnull}")
    monkeypatch.setattr("flows.runtime.installed_backends", lambda: ["tensorflow"])
    with pytest.raises(UserError, match="backend jax is not installed"):
        run_verb("score", [], backend="jax")
