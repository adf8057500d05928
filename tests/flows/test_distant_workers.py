"""Workers that a cluster starts: followed to their end, never started, never ended."""

import threading
import time
from pathlib import Path

import pytest

from flows import distant_workers
from flows.config import load_config
from flows.distant_workers import DistantWorkers
from flows.journal import Journal
from flows.run_folder import RunFolder, begin_folder, default_home
from flows.runtime import UserError

pytestmark = pytest.mark.any_backend


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(distant_workers, "POLL_SECONDS", 0.01)
    return RunFolder(tmp_path)


def kinds(workers):
    return [event["kind"] for event in workers.follow() if event is not None]


def test_a_run_is_followed_from_before_its_folder_has_a_journal(folder):
    def train():
        time.sleep(0.1)  # a cluster takes its time
        with Journal(folder.journal) as journal:
            for step in (1, 2):
                journal.append("checkpoint", step=step)
                time.sleep(0.05)
            journal.append("finished", step=2, metrics={}, timings={})

    thread = threading.Thread(target=train)
    thread.start()
    workers = DistantWorkers(folder)
    assert kinds(workers) == ["checkpoint", "checkpoint", "finished"]
    thread.join()
    assert workers.seconds > 0
    workers.stop()
    assert {path.name for path in folder.path.iterdir()} == {"journal.jsonl"}  # no lock, no log


def test_what_was_finished_before_is_read_at_once(folder):
    with Journal(folder.journal) as journal:
        journal.append("failed", reason="of an earlier start")
        journal.append("resumed", step=1)
        journal.append("finished", step=2, metrics={}, timings={})
    assert kinds(DistantWorkers(folder)) == ["failed", "resumed", "finished"]


def test_a_mistake_that_was_mended_is_history(folder):
    with Journal(folder.journal) as journal:
        journal.append("failed", reason="of an earlier start")
        journal.append("resumed", step=1)
    seen = []
    for event in DistantWorkers(folder).follow():
        seen.append(event and event["kind"])
        if len(seen) == 3:  # it waits for more
            with Journal(folder.journal) as journal:
                journal.append("finished", step=2, metrics={}, timings={})
    assert seen == ["failed", "resumed", None, "finished"]


def test_a_mistake_of_the_user_s_ends_the_following(folder):
    with Journal(folder.journal) as journal:
        journal.append("failed", reason="data.batch_size must be a multiple")
    with pytest.raises(UserError, match=r"data\.batch_size must be a multiple"):
        kinds(DistantWorkers(folder))


def test_a_folder_that_two_processes_begin_has_one_whole_config(tmp_path, monkeypatch):
    config = load_config("configs/smoke.yaml")
    path = tmp_path / "runs" / "a"
    replace = Path.replace

    def late(part, target):
        """Let another process come first, from its beginning to its end."""
        monkeypatch.setattr(Path, "replace", replace)
        begin_folder(path, config)
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", late)
    begin_folder(path, config)
    assert [one.name for one in path.iterdir()] == ["config.yaml"]
    assert load_config(path / "config.yaml") == config


def test_a_folder_that_there_is_keeps_its_config(tmp_path):
    begin_folder(tmp_path, load_config("configs/smoke.yaml", ["gate.at_least=0.5"]))
    begin_folder(tmp_path, load_config("configs/smoke.yaml"))
    assert load_config(tmp_path / "config.yaml").gate.at_least == 0.5


def test_zoo_train_takes_the_home_that_is_named(tmp_path, monkeypatch):
    from flows import cli, training_report

    asked = {}

    def train(config, *, home, **_):
        asked.update(home=home, workers=config.distribution.workers)
        raise UserError("enough")

    monkeypatch.setattr(training_report, "train_with_report", train)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "shared"))
    assert cli.run(["train", "configs/smoke.yaml", "--workers", "0"]) == 2
    assert asked == {"home": tmp_path / "shared", "workers": 0}
    assert default_home() == tmp_path / "shared"
