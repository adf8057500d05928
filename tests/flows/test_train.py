"""The controller: whatever is killed or goes away, a run ends once, complete and with its reasons.

In all but the last test a stand-in worker, a real process without Keras, speaks the journal.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from tracking_server import TrackingServer

from flows.config import load_config
from flows.embedded import prefect_server
from flows.journal import read_journal
from flows.registered import resolve
from flows.run_folder import RunFolder, is_held
from flows.runtime import UserError, installed_backends
from flows.skipped import Skipped
from flows.tracking_store import open_store
from flows.train import run
from flows.worker_process import WorkerError

pytestmark = pytest.mark.any_backend

HERE = Path(__file__).parent
SMOKE = HERE.parents[1] / "configs" / "smoke.yaml"


@pytest.fixture(scope="module")
def prefect_url(tmp_path_factory):
    """One Prefect server for the tests that are not about it."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture
def stand_in(stand_in, monkeypatch, prefect_url):
    """The stand-in worker, for runs on the tests' Prefect server."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    return stand_in


def smoke(*overrides):
    return load_config(SMOKE, overrides)


def start(home, *overrides):
    """Start a controller process."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "drive.py"), str(home), "once", *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(controller):
    """Return the summary that a controller process printed."""
    out, err = controller.communicate(timeout=300)
    assert controller.returncode == 0, err
    return json.loads(out)


def wait_for(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def only_folder(home):
    (path,) = (home / "runs").iterdir()
    return RunFolder(path)


def worker_at_step(home, step):
    """Return a condition: the journal of the only run has come to a step."""

    def reached():
        journals = list((home / "runs").glob("*/journal.jsonl"))
        events = read_journal(journals[0]) if journals else []
        return any(event.get("step", 0) >= step for event in events)

    return reached


def assert_history_is_the_journal(uri, run_id, journal):
    client = MlflowClient(tracking_uri=uri)
    told = Counter(
        (key, point.step, point.timestamp, point.value)
        for key in client.get_run(run_id).data.metrics
        if not key.startswith(("timings/", "verified/", "trivial/", "test/"))
        for point in client.get_metric_history(run_id, key)
    )
    assert told == Counter(
        (key, event["step"], int(event["time"] * 1000), value)
        for event in read_journal(journal)
        for key, value in event.get("metrics", {}).items()
    )


def statuses(home):
    with open_store(home) as uri:
        client = MlflowClient(uri)
        experiments = [e.experiment_id for e in client.search_experiments()]
        return Counter(run.info.status for run in client.search_runs(experiments))


def test_a_configuration_becomes_a_run_a_version_and_the_champion(home, stand_in):
    events = []
    stand_in(splits=["train", "val", "test"])
    summary = run(smoke("name=whole"), home=home, progress=events.append)
    assert summary.promoted
    assert summary.aliases == ["challenger", "champion"]
    assert summary.metrics["ap50"] == 0.75
    assert summary.test["ap50"] == 0.375
    assert summary.verified_on != summary.backend or len(installed_backends()) == 1
    kinds = [event["kind"] for event in events]
    assert kinds.count("step") == 10
    assert {"started", "evaluation", "published", "finished", "scoring"} <= set(kinds)
    folder = RunFolder(summary.run_dir)
    assert_history_is_the_journal(summary.tracking_uri, summary.mlflow_run_id, folder.journal)
    with open_store(home) as uri:
        client = MlflowClient(uri)
        told = client.get_run(summary.mlflow_run_id)
        version = client.get_model_version_by_alias("whole", "champion")
    assert told.info.status == "FINISHED"
    assert told.data.params["train.optimizer.learning_rate"] == "0.01"
    assert told.data.metrics["timings/step_seconds"] == 0.75
    assert told.data.metrics["test/ap50"] == 0.375
    assert version.run_id == summary.mlflow_run_id
    assert version.tags["gate"] == "passed"
    assert version.tags["config_hash"] in folder.name
    assert version.tags["backend"] == summary.backend
    assert version.tags["run_folder"] == str(folder.path)
    assert json.loads(version.tags["data_digest"]) == {"train": "aa", "val": "bb"}
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", version.tags["git_commit"])


def test_the_times_of_the_summary_add_up(home, stand_in):
    times = run(smoke(), home=home).timings
    assert times["total"] == pytest.approx(times["controller"] + times["worker"] + times["scoring"])
    assert times["worker"] + times["scoring"] < times["flow"] < times["total"]
    assert (times["step"], times["data"]) == (0.75, 0.25)
    assert run(smoke(), home=home).timings == times


def test_a_finished_configuration_is_told_again_and_run_anew_only_when_asked(home, stand_in):
    first = run(smoke(), home=home)
    assert run(smoke(), home=home).mlflow_run_id == first.mlflow_run_id
    stand_in(ap50=0.5)
    second = run(smoke(), again=True, home=home)
    assert second.run_dir == f"{first.run_dir}-2"
    assert (first.version, second.version) == ("1", "2")
    assert not second.promoted
    assert second.aliases == ["challenger"]
    assert second.reasons == [
        "-0.2500 on the champion is not +0 or more",
        "confidence 0.000 that it is better is not 0.95 or more",
    ]
    with open_store(home) as uri:
        refused = MlflowClient(uri).get_model_version("smoke", "2")
        champion = MlflowClient(uri).get_model_version_by_alias("smoke", "champion")
    assert refused.tags["gate"] == "failed"
    assert refused.tags["gate_reasons"] == "; ".join(second.reasons)
    assert champion.version == 1


def test_another_gate_judges_the_finished_run_anew_without_training(home, stand_in):
    first = run(smoke("gate.at_least=0.9"), home=home)
    assert first.reasons == ["ap50 0.7500 is not at least 0.9"]
    events = []
    second = run(smoke("gate.at_least=0.7"), home=home, progress=events.append)
    assert second.promoted
    assert (second.version, second.mlflow_run_id) == (first.version, first.mlflow_run_id)
    assert second.timings["worker"] < 1.0


def test_what_has_not_changed_is_skipped_and_what_has_is_trained(home, stand_in):
    first = run(smoke(), home=home, if_changed=True)
    assert first.promoted
    skipped = run(smoke(), home=home, if_changed=True)
    assert isinstance(skipped, Skipped)
    assert skipped.version == "1"
    assert "the champion, version 1, came of the same" in skipped.reason
    stand_in(digest="cc", classes={"banana": 5, "apple": 5})
    events = []
    second = run(smoke(), home=home, if_changed=True, progress=events.append)
    assert (second.version, second.promoted) == ("2", False)
    (changed,) = (event for event in events if event["kind"] == "changed")
    assert changed["because"] == "changed since the champion: data"
    assert changed["news"][0] == "new classes: apple"
    report = json.loads((Path(second.run_dir) / "data_report.json").read_text())
    assert report["before"]["train"]["classes"] == {"banana": 10}
    assert isinstance(run(smoke(), home=home, if_changed=True), Skipped)  # of what was refused


def test_a_run_that_was_killed_behind_its_gate_is_ended_and_not_skipped(home, stand_in):
    first = run(smoke(), home=home)
    RunFolder(first.run_dir).summary.unlink()  # as it is until the flow's last line
    again = run(smoke(), home=home, if_changed=True)
    assert not isinstance(again, Skipped)
    assert (again.run_dir, again.version) == (first.run_dir, "1")
    assert isinstance(run(smoke(), home=home, if_changed=True), Skipped)


def test_a_retraining_that_was_killed_goes_on(home, stand_in):
    stand_in(crash_at=7)
    with pytest.raises(WorkerError):
        run(smoke(), home=home, if_changed=True)
    stand_in()
    run(smoke(), home=home, if_changed=True)
    assert any(event["kind"] == "resumed" for event in read_journal(only_folder(home).journal))


def test_the_table_that_decided_is_signed_and_kept(home, stand_in):
    summary = run(smoke(), home=home)
    table = json.loads((Path(summary.run_dir) / "gate.json").read_text())
    assert table["checks"][0]["challenger"] == "0.7500"
    assert (table["promoted"], table["champion"]) == (True, None)
    with open_store(home) as uri:
        client = MlflowClient(uri)
        described = client.get_model_version("smoke", "1").description
        kept = {file.path for file in client.list_artifacts(summary.mlflow_run_id)}
    assert "| ap50 | - | 0.7500 |" in described
    assert f"Signed {table['signed']['at']} by the gate" in described
    assert {"gate.json", "gate.md"} <= kept


def test_a_model_that_scores_otherwise_elsewhere_is_refused(home, stand_in):
    stand_in(ap50_elsewhere=0.7498)
    summary = run(smoke(), home=home)
    assert not summary.promoted
    assert summary.reasons == ["ap50 is 0.749800 where 0.750000 was to be expected"]


def test_a_model_that_finds_the_same_boxes_elsewhere_may_score_a_hair_otherwise(home, stand_in):
    stand_in(ap50_elsewhere=0.7498, moved=0)
    assert run(smoke(), home=home).promoted


def test_what_trained_in_bfloat16_is_measured_in_float32_where_it_trained(home, stand_in):
    summary = run(smoke("precision=mixed_bfloat16"), home=home)
    assert summary.promoted
    assert Path(summary.run_dir, f"scores_{summary.backend}.json").exists()


def test_a_killed_controller_is_continued_and_leaves_no_run_running(home, stand_in):
    stand_in(steps=100, delay=0.05)
    killed = start(home)
    wait_for(worker_at_step(home, 10))
    killed.kill()
    killed.communicate()
    folder = only_folder(home)
    assert is_held(folder.worker_lock)
    worker = folder.worker_pid.read_text()
    assert statuses(home) == {"RUNNING": 1}
    summary = run(smoke(), home=home)
    assert summary.run_dir == str(folder.path)
    assert folder.worker_pid.read_text() == worker
    assert "resumed" not in {event["kind"] for event in read_journal(folder.journal)}
    assert statuses(home) == {"FINISHED": 1}
    assert_history_is_the_journal(summary.tracking_uri, summary.mlflow_run_id, folder.journal)


@pytest.mark.slow
def test_a_killed_controller_is_ended_by_the_start_of_another_configuration(home, stand_in):
    stand_in(steps=1000, delay=0.05)
    killed = start(home, "name=orphan")
    wait_for(worker_at_step(home, 3))
    killed.kill()
    killed.communicate()
    worker = int(only_folder(home).worker_pid.read_text())
    stand_in()
    run(smoke("name=another"), home=home)
    assert statuses(home) == {"KILLED": 1, "FINISHED": 1}
    os.kill(worker, signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_worker_resumes_in_the_same_run(home, stand_in):
    stand_in(steps=60, delay=0.05)
    controller = start(home)
    wait_for(worker_at_step(home, 12))
    os.kill(int(only_folder(home).worker_pid.read_text()), signal.SIGKILL)
    summary = finish(controller)
    events = read_journal(only_folder(home).journal)
    assert [e["step"] for e in events if e["kind"] == "step"] == list(range(1, 61))
    assert [e["step"] % 5 for e in events if e["kind"] == "resumed"] == [0]
    assert_history_is_the_journal(
        summary["tracking_uri"], summary["mlflow_run_id"], only_folder(home).journal
    )


def test_a_worker_that_dies_over_and_over_is_given_up(home, stand_in):
    stand_in(crash_at=7)
    with pytest.raises(WorkerError, match=r"was killed .* 4 times without getting further"):
        run(smoke(), home=home)
    kinds = Counter(event["kind"] for event in read_journal(only_folder(home).journal))
    assert kinds["resumed"] == 4
    assert statuses(home) == {"FAILED": 1}


def test_the_users_mistake_in_the_worker_is_one_line_and_no_restart(home, stand_in):
    stand_in(mistake="data bananas: the archive is broken; remove it")
    with pytest.raises(UserError, match=r"^data bananas: the archive is broken; remove it$"):
        run(smoke(), home=home)
    assert statuses(home) == {"FAILED": 1}


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupted_controller_stops_its_worker_and_says_so(home, stand_in, number):
    stand_in(steps=1000, delay=0.05)
    controller = start(home)
    wait_for(worker_at_step(home, 3))
    controller.send_signal(number)
    controller.communicate(timeout=180)
    assert controller.returncode != 0
    assert not is_held(only_folder(home).worker_lock)
    assert statuses(home) == {"KILLED": 1}
    assert "This run was interrupted at step" in only_folder(home).report.read_text()


@pytest.mark.slow
def test_a_configuration_that_is_being_run_is_waited_for(home, stand_in):
    stand_in(steps=60, delay=0.05)
    first = start(home)
    wait_for(worker_at_step(home, 3))
    events = []
    second = run(smoke(), home=home, progress=events.append)
    assert finish(first)["run_dir"] == second.run_dir
    assert {"kind": "busy", "folder": only_folder(home).path} in events
    assert "step" not in {event["kind"] for event in events}
    assert statuses(home) == {"FINISHED": 1}


@pytest.mark.slow
def test_with_again_a_configuration_that_is_being_run_is_run_beside_it(home, stand_in):
    stand_in(steps=1000, delay=0.05)
    busy = start(home)
    wait_for(worker_at_step(home, 3))
    first = only_folder(home)
    stand_in()
    second = run(smoke(), again=True, home=home)
    busy.send_signal(signal.SIGINT)
    busy.communicate(timeout=180)
    assert second.run_dir == f"{first.path}-2"
    assert statuses(home) == {"KILLED": 1, "FINISHED": 1}


@pytest.mark.slow
def test_one_that_waits_goes_on_with_a_run_whose_controller_dies(home, stand_in):
    stand_in(steps=120, delay=0.05)
    first = start(home)
    wait_for(worker_at_step(home, 3))
    waiting = start(home)
    wait_for(lambda: "waiting for its end" in waiting.stderr.readline())
    first.kill()
    first.communicate()
    assert finish(waiting)["run_dir"] == str(only_folder(home).path)
    assert statuses(home) == {"FINISHED": 1}


@pytest.mark.slow
def test_four_controllers_at_once_on_a_fresh_home_all_succeed(tmp_path, stand_in, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    home = tmp_path / "fresh"
    controllers = [start(home, f"train.seed={seed}") for seed in range(4)]
    summaries = [finish(controller) for controller in controllers]
    assert statuses(home) == {"FINISHED": 4}
    assert sorted(summary["version"] for summary in summaries) == ["1", "2", "3", "4"]
    assert len({summary["run_dir"] for summary in summaries}) == 4
    assert sum(summary["promoted"] for summary in summaries) == 1
    for summary in summaries:
        journal = RunFolder(summary["run_dir"]).journal
        assert_history_is_the_journal(summary["tracking_uri"], summary["mlflow_run_id"], journal)


@pytest.mark.slow
def test_a_tracking_server_that_goes_away_stops_nothing_and_loses_nothing(
    tmp_path, home, stand_in, migrated_home, monkeypatch
):
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes((migrated_home / "mlflow.db").read_bytes())
    server = TrackingServer(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    stand_in(steps=200, delay=0.05)
    try:
        server.start()
        controller = start(home)
        wait_for(worker_at_step(home, 40))
        server.kill()
        here = max(e.get("step", 0) for e in read_journal(only_folder(home).journal))
        wait_for(worker_at_step(home, here + 100))
        server.start()
        summary = finish(controller)
        journal = only_folder(home).journal
        assert "resumed" not in {event["kind"] for event in read_journal(journal)}
        assert_history_is_the_journal(server.uri, summary["mlflow_run_id"], journal)
        run_ = MlflowClient(server.uri).get_run(summary["mlflow_run_id"])
        assert run_.info.status == "FINISHED"
        assert summary["promoted"]
    finally:
        server.kill()


# Writes down every address beyond this machine that a Python process looks up or connects to.
GUARD = """
import ipaddress, os, socket

def note(what, host):
    if isinstance(host, bytes):
        host = host.decode()
    try:
        here = host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    if not here:
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(f"{what} {host}\\n")

def guarded(method):
    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            note("connect", address[0])
        return method(self, address)
    return connect

def look_up(host, *arguments, method=socket.getaddrinfo, **options):
    note("look up", host)
    return method(host, *arguments, **options)

socket.socket.connect = guarded(socket.socket.connect)
socket.socket.connect_ex = guarded(socket.socket.connect_ex)
socket.getaddrinfo = look_up
with open(os.environ["GUARD_LOG"] + ".guarded", "a") as log:
    log.write(f"{os.getpid()}\\n")
"""


def test_the_main_job_needs_no_server_and_calls_nobody(tmp_path, monkeypatch):
    """The real worker, the real command line, a fresh home, and a guard in every process."""
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    guard, log = tmp_path / "guard", tmp_path / "guard.log"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "train", str(SMOKE), "--json"]
        + ["--set", "train.epochs=1", "--backend", "torch"],  # which compiles nothing
        env=os.environ | {"PYTHONPATH": str(guard), "GUARD_LOG": str(log)},
        cwd=work,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["promoted"]
    assert resolve("models:/smoke@champion", work / "mlruns").name == "model.keras"
    report = RunFolder(summary["run_dir"]).report.read_text()
    assert report.count("<img ") == 24  # twelve pictures, annotated and found
    assert "not be worked out" not in report
    assert not log.exists() or log.read_text() == ""
    guarded = (tmp_path / "guard.log.guarded").read_text().split()
    assert len(guarded) >= 4  # the command, its Prefect server, two workers
    assert not any(Path(f"/proc/{pid}").exists() for pid in guarded)
    assert {path.name for path in work.iterdir()} == {"mlruns"}
    assert (work / "mlruns" / "prefect" / "prefect.db").exists()
    print(f"controller: {summary['timings']['controller']:.1f} s")
