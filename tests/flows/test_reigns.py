"""Who was the champion, and what a person may do about it: on a real registry."""

import hashlib

import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from flows import registered, registry, succession
from flows.cli import app
from flows.promote import Decision
from flows.reigns import crown, reigns
from flows.runtime import UserError
from flows.tracking_store import open_store

pytestmark = pytest.mark.any_backend


@pytest.fixture
def versions(home, tmp_path):
    """Three versions of one model in the home; the first two were champions by their gates."""
    with open_store(home):
        client = MlflowClient()
        client.create_registered_model("bananas")
        for number, promoted in (("1", True), ("2", True), ("3", False)):
            folder = tmp_path / number / "artifacts"
            folder.mkdir(parents=True)
            content = f"model {number}".encode()
            (folder / "model.keras").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            source = folder.parent.as_uri()
            client.create_model_version("bananas", source, tags={"sha256": digest})
            registry.close("bananas", number, Decision(promoted, [f"reason {number}"]), {})
    return home


def champion(home):
    with open_store(home):
        return str(registered.find_champion("bananas").version)


def test_each_reign_ends_where_the_next_begins(versions):
    first, second = succession.history("bananas", versions)
    assert (first.version, first.why, first.by) == ("1", "reason 1", "gate")
    assert first.until == second.since
    assert second.until is None


def test_crowning_the_champion_again_adds_nothing(versions):
    with open_store(versions):
        crown("bananas", "2", why="once more", by="gate")
        assert [reign.version for reign in reigns("bananas")] == ["1", "2"]


def test_a_crown_that_died_between_its_writes_is_finished_by_the_next_try(versions, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with open_store(versions):
        with monkeypatch.context() as patched:
            patched.setattr(MlflowClient, "set_registered_model_alias", die)
            with pytest.raises(KeyboardInterrupt):
                crown("bananas", "3", why="better", by="gate")
        assert champion(versions) == "2"
        crown("bananas", "3", why="better", by="gate")
    assert champion(versions) == "3"
    assert [reign.version for reign in succession.history("bananas", versions)] == ["1", "2", "3"]


def test_rolled_back_is_to_the_champion_before_and_tells_why(versions):
    reign = succession.roll_back("bananas", to=None, reason="misses green ones", home=versions)
    assert champion(versions) == reign.version == "1"
    assert reign.why == "rolled back from version 2: misses green ones"
    assert reign.by != "gate"
    with open_store(versions):
        tags = MlflowClient().get_model_version("bananas", "2").tags
    assert tags["rolled_back"] == "misses green ones"


def test_what_was_rolled_back_is_not_gone_back_to(versions):
    succession.roll_back("bananas", to=None, reason="bad", home=versions)
    with pytest.raises(UserError, match="no champion before it"):
        succession.roll_back("bananas", to=None, reason="bad too", home=versions)
    back = succession.roll_back("bananas", to="2", reason="it was not", home=versions)
    assert back.version == "2"
    with open_store(versions):
        assert "rolled_back" not in MlflowClient().get_model_version("bananas", "2").tags


def test_a_rollback_to_what_never_was_champion_is_refused(versions):
    with pytest.raises(UserError, match="version 3 was no champion before; there were: 1"):
        succession.roll_back("bananas", to="3", reason="why not", home=versions)


def test_a_refused_version_is_promoted_only_anyway(versions):
    with pytest.raises(UserError, match=r"did not pass its gate: reason 3.*--anyway"):
        succession.promote("models:/bananas/3", reason="it looks good", anyway=False, home=versions)
    assert champion(versions) == "2"
    reign = succession.promote(
        "models:/bananas/3", reason="it looks good", anyway=True, home=versions
    )
    assert champion(versions) == reign.version == "3"


def test_the_alias_never_moves_to_a_file_that_is_gone_or_another(versions):
    with open_store(versions):
        file = registered.local_file(registered.find_version("models:/bananas/1"), versions)
    file.write_bytes(b"something else")
    with pytest.raises(UserError, match="not the one that was registered"):
        succession.roll_back("bananas", to=None, reason="bad", home=versions)
    file.unlink()
    with pytest.raises(UserError, match=r"models:/bananas/1"):
        succession.roll_back("bananas", to=None, reason="bad", home=versions)
    assert champion(versions) == "2"
    with open_store(versions):
        assert "rolled_back" not in MlflowClient().get_model_version("bananas", "2").tags


def test_the_commands_do_what_they_say(versions, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(versions))
    runner = CliRunner()
    assert runner.invoke(app, ["rollback", "bananas", "--reason", "bad"]).exit_code == 0
    promoted = runner.invoke(app, ["promote", "models:/bananas/2", "--reason", "good again"])
    assert promoted.exit_code == 0, promoted.output
    shown = runner.invoke(app, ["history", "bananas"]).output
    assert shown.count("rolled back from") == 1
    assert "good again" in shown


def test_an_unknown_model_is_the_users_mistake(versions):
    with pytest.raises(UserError, match="apples: no such registered model"):
        succession.history("apples", versions)
    with pytest.raises(UserError, match="models:/apples@champion: no such model"):
        succession.roll_back("apples", to=None, reason="bad", home=versions)
