"""A recorded run trained again: the same, or what came out otherwise first."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import provenance
from flows.cli import app
from flows.config import config_hash, dump_config, load_config, resolve_config
from flows.origin import origin_tags
from flows.reproduction import Point, reproduce
from flows.run_folder import RunFolder
from flows.runtime import UserError
from flows.supervisor import Worker
from flows.tracking import Tracker
from flows.tracking_store import open_store

pytestmark = pytest.mark.any_backend

HERE = Path(__file__).parent


@pytest.fixture
def recorded(home, stand_in):
    """A run of the stand-in worker, in MLflow."""
    config = resolve_config(load_config(HERE.parents[1] / "configs" / "smoke.yaml"))
    folder = RunFolder(home / "runs" / f"smoke-{config_hash(config)}")
    folder.path.mkdir(parents=True)
    folder.config.write_text(dump_config(config))
    stand_in(parameters=config.model_dump(mode="json"))
    with open_store(home) as uri:
        tracker = Tracker(
            folder,
            home=home,
            uri=uri,
            experiment="smoke",
            parameters={},
            tags=origin_tags(config),
        )
        list(Worker(folder, backend=config.backend).follow())
        tracker.catch_up()
    return folder, tracker.run_id


def test_the_same_run_has_the_same_points(home, recorded):
    folder, run_id = recorded
    for name in (str(folder.path), folder.name, run_id):
        told = reproduce(name, home)
        assert (told.run_id, told.first_difference, told.same) == (run_id, None, True)
    assert told.final["val/ap50"] == (0.75, 0.75)
    assert told.compared == 10 + 2  # a loss a step, two metrics of the validation
    assert told.environment == []


def test_the_first_difference_is_shown(home, recorded, stand_in):
    stand_in(ap50=0.5)
    told = reproduce(recorded[1], home)
    assert told.first_difference == Point(10, "val/ap50", 0.75, 0.5)
    assert not told.same


def test_a_reproduction_that_was_killed_goes_on(home, recorded, stand_in):
    from flows.journal import read_journal
    from flows.worker_process import WorkerError

    stand_in(crash_at=7)
    with pytest.raises(WorkerError):
        reproduce(recorded[1], home)
    stand_in()
    told = reproduce(recorded[1], home)
    assert told.same
    events = read_journal(Path(told.folder) / "journal.jsonl")
    assert "resumed" in [event["kind"] for event in events]


def test_other_code_is_told_and_trained_apart(home, recorded, monkeypatch):
    first = reproduce(recorded[1], home)
    monkeypatch.setattr(provenance, "code_version", lambda backend: "other, keras 0")
    second = reproduce(recorded[1], home)
    assert second.folder != first.folder
    assert [line.partition(":")[0] for line in second.environment] == ["code"]


def test_other_data_are_refused_before_anything_is_trained(home, recorded, stand_in):
    stand_in(digest="cc")
    with pytest.raises(UserError, match=r"bananas@train has the digest cc, and had aa"):
        reproduce(recorded[1], home)
    assert not (home / "reproductions").exists()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("nothing", "nothing: no such run; in .* there are smoke-"),
        ("0" * 32, "MLflow has no training of this run"),
        ("models:/nothing/1", "no such model"),
    ],
)
def test_a_run_that_is_not_there_is_the_users_mistake(home, recorded, run, message):
    with pytest.raises(UserError, match=message):
        reproduce(run, home)


def test_the_command_exits_with_1_where_the_metrics_differ(home, recorded, stand_in, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(home))
    stand_in(ap50=0.5)
    result = CliRunner().invoke(app, ["reproduce", recorded[1]])
    assert result.exit_code == 1
    assert "val/ap50 at step 10, 0.75 then, 0.5 now" in result.output
    assert "the final metrics are NOT the same" in result.output
