"""MLflow has what the journal has: all of it, once, whatever goes away."""

import os
from collections import Counter

import pytest
from filelock import FileLock
from mlflow.tracking import MlflowClient
from PIL import Image

from flows import tracking_store
from flows.journal import Journal, read_journal
from flows.run_folder import RunFolder
from flows.tracking import Tracker, TrackingError
from flows.tracking_store import close_orphans, default_tracking_uri, open_store

pytestmark = pytest.mark.any_backend

STARTED = {
    "backend": "torch",
    "precision": "float32",
    "versions": {"keras": "3.15.1"},
    "parameters": {"train": {"epochs": 2}},
    "data_digest": {"train": "ab", "val": "cd"},
    "train_size": 32,
    "val_size": 8,
    "num_params": 1000,
    "pid": 1,
}


@pytest.fixture
def folder(home):
    folder = RunFolder(home / "runs" / "tiny-0123456789ab")
    folder.path.mkdir(parents=True)
    return folder


def track(folder, home, uri, **options):
    options = {"experiment": "tiny", "parameters": {}, "tags": {}} | options
    return Tracker(folder, home=home, uri=uri, **options)


def histories(uri, run_id):
    """Return every metric point of a run, counted: (key, step, time in ms, value)."""
    client = MlflowClient(tracking_uri=uri)
    return Counter(
        (key, point.step, point.timestamp, point.value)
        for key in client.get_run(run_id).data.metrics
        for point in client.get_metric_history(run_id, key)
    )


def points(folder):
    """Return what the journal says that the histories must be."""
    return Counter(
        (key if "/" in key else f"{e['kind']}/{key}", e["step"], int(e["time"] * 1000), value)
        for e in read_journal(folder.journal)
        for key, value in e.get("metrics", {}).items()
    )


def test_a_journal_becomes_a_run(folder, home):
    (folder.path / "samples").mkdir()
    Image.new("RGB", (8, 8)).save(folder.path / "samples" / "banana.png")
    with Journal(folder.journal) as journal:
        journal.append("started", **STARTED)
        journal.append("step", step=1, epoch=0, metrics={"loss": 0.5, "rate": 1e-3})
        journal.append("sample", step=1, path="samples/banana.png")
        journal.append("evaluation", step=1, epoch=0, metrics={"val/ap50": 0.1 + 0.2})
    with open_store(home) as uri:
        tracker = track(folder, home, uri, parameters={"train": {"epochs": 2}}, tags={"a": "b"})
        assert tracker.sync()
        tracker.end("FINISHED", "all done")
        client = MlflowClient(uri)
        run = client.get_run(tracker.run_id)
        assert histories(uri, tracker.run_id) == points(folder)
        assert run.data.metrics["val/ap50"] == 0.1 + 0.2
        assert run.info.status == "FINISHED"
        assert run.data.params["train.epochs"] == "2"
        assert run.data.params["worker.versions.keras"] == "3.15.1"
        assert run.data.tags["backend"] == "torch"
        assert run.data.tags["data_digest"] == '{"train": "ab", "val": "cd"}'
        assert run.data.tags["zoo_reason"] == "all done"
        assert run.data.tags["a"] == "b"
        assert [a.path for a in client.list_artifacts(run.info.run_id, "samples")] == [
            "samples/banana.png"
        ]


def test_everything_lies_in_the_home(folder, home, tmp_path):
    with Journal(folder.journal) as journal:
        journal.append("started", **STARTED)
    with open_store(home) as uri:
        track(folder, home, uri).sync()
    assert {path.name for path in tmp_path.iterdir()} == {"mlruns"}
    assert (home / "artifacts" / "tiny").is_dir()


@pytest.mark.parametrize("forgotten", ["position", "file"])
def test_what_was_sent_but_not_remembered_is_not_doubled(folder, home, forgotten):
    with Journal(folder.journal) as journal:
        journal.append("started", **STARTED)
        for step in range(30):
            journal.append("step", step=step, epoch=0, metrics={"loss": 1 / (step + 1)})
    with open_store(home) as uri:
        first = track(folder, home, uri)
        first.sync()
        before = folder.tracking.read_text()
        assert '"position": 30' in before
        if forgotten == "position":
            folder.tracking.write_text(before.replace('"position": 30', '"position": 3'))
        else:
            folder.tracking.write_text(before.replace(first.run_id, "lost"))
        second = track(folder, home, uri)
        assert second.run_id == first.run_id
        assert second.sync()
        assert histories(uri, first.run_id) == points(folder)


def test_a_folder_made_anew_gets_a_run_of_its_own(folder, home):
    with open_store(home) as uri:
        first = track(folder, home, uri)
        folder.tracking.unlink()
        assert track(folder, home, uri).run_id != first.run_id


def test_names_mlflow_refuses_are_made_legal(folder, home):
    with Journal(folder.journal) as journal:
        journal.append("evaluation", step=1, metrics={"val/ap/dog's nose//": 0.5, "val/../x": 1.0})
    with open_store(home) as uri:
        tracker = track(folder, home, uri)
        tracker.catch_up(patience=0)
        assert set(MlflowClient(uri).get_run(tracker.run_id).data.metrics) == {
            "val/ap/dog_s nose",
            "x",
        }


def test_numbers_that_are_not_finite_reach_the_store_once(folder, home):
    with Journal(folder.journal) as journal:
        journal.append("step", step=1, metrics={"loss": float("nan"), "norm": float("inf")})
    with open_store(home) as uri:
        for _ in range(2):
            tracker = track(folder, home, uri)
            tracker.sync()
            tracker._remember(position=-1)
        client = MlflowClient(uri)
        for key in ("step/loss", "step/norm"):
            assert len(client.get_metric_history(tracker.run_id, key)) == 1


def test_many_events_are_cut_into_requests_the_store_takes(folder, home):
    with Journal(folder.journal) as journal:
        for step in range(150):
            metrics = {f"m{n}": step + n / 16 for n in range(16)}
            journal.append("step", step=step, epoch=0, metrics=metrics)
    with open_store(home) as uri:
        tracker = track(folder, home, uri, parameters={f"p{n}": n for n in range(250)})
        assert tracker.sync()
        assert histories(uri, tracker.run_id) == points(folder)
        assert len(MlflowClient(uri).get_run(tracker.run_id).data.params) == 250


def test_a_changed_parameter_of_a_taken_over_run_keeps_its_first_value(folder, home):
    with open_store(home) as uri:
        track(folder, home, uri, parameters={"log_steps": 1})
        tracker = track(folder, home, uri, parameters={"log_steps": 2})
        assert MlflowClient(uri).get_run(tracker.run_id).data.params == {"log_steps": "1"}


def test_an_orphan_is_ended_and_a_held_run_is_left(folder, home):
    held = RunFolder(home / "runs" / "held")
    held.path.mkdir()
    with open_store(home) as uri, FileLock(held.controller_lock):
        orphan, other = track(folder, home, uri), track(held, home, uri)
        assert close_orphans(home, uri) == [orphan.run_id]
        client = MlflowClient(uri)
        assert client.get_run(orphan.run_id).info.status == "KILLED"
        assert client.get_run(orphan.run_id).data.tags["zoo_reason"] == "its controller is gone"
        assert client.get_run(other.run_id).info.status == "RUNNING"
        assert track(folder, home, uri).run_id == orphan.run_id
        assert client.get_run(orphan.run_id).info.status == "RUNNING"


def test_a_run_that_ends_well_during_the_sweep_is_no_orphan(folder, home, monkeypatch):
    found = tracking_store.search_runs

    def search_then_end(client, query):
        runs = found(client, query)
        for run in runs:  # its controller ends it now, and lets the folder go
            client.set_terminated(run.info.run_id, "FINISHED")
        return runs

    with open_store(home) as uri:
        tracker = track(folder, home, uri)
        monkeypatch.setattr(tracking_store, "search_runs", search_then_end)
        assert close_orphans(home, uri) == []
        run = MlflowClient(uri).get_run(tracker.run_id)
        assert run.info.status == "FINISHED"
        assert "zoo_reason" not in run.data.tags


def test_runs_of_another_home_are_no_orphans_of_this_one(folder, home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    with open_store(home) as uri:
        track(folder, home, uri)
        assert close_orphans(elsewhere, uri) == []


def test_the_users_tracking_uri_is_used_and_given_back(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert default_tracking_uri(home) == "http://127.0.0.1:9"
    with open_store(home) as uri:
        assert uri == "http://127.0.0.1:9"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with open_store(home) as uri:
        assert os.environ["MLFLOW_TRACKING_URI"] == uri
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert default_tracking_uri(home) == f"sqlite:///{home}/mlflow.db"


def test_a_store_that_never_answers_is_one_clear_line(folder, home, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = "http://127.0.0.1:9"  # the discard port: nothing listens there
    with pytest.raises(TrackingError, match=f"tracking store {uri} does not answer") as caught:
        track(folder, home, uri)
    assert "\n" not in str(caught.value)


def test_a_deleted_run_is_told_at_once_and_not_waited_for(folder, home):
    with open_store(home) as uri:
        tracker = track(folder, home, uri)
        MlflowClient(uri).delete_run(tracker.run_id)
        with Journal(folder.journal) as journal:
            journal.append("step", step=1, metrics={"loss": 0.5})
        with pytest.raises(TrackingError, match="must be in the 'active' state"):
            tracker.catch_up(patience=600)
