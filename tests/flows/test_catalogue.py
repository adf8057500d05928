"""The names of zoo are asked for once; configs are listed with what is wrong with them."""

import json
import subprocess
from pathlib import Path

import pytest

import zoo
import zoo.data
from flows import catalogue
from flows.config import Config, load_config
from flows.config_errors import ConfigError
from flows.runtime import UserError

pytestmark = pytest.mark.any_backend
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Count the processes that are started to ask for the names."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def answer(command, **_):
        calls.append(command)
        names = json.dumps({"presets": ["a"], "data": ["b"]})
        return subprocess.CompletedProcess(command, 0, stdout=f"noise\n{names}\n", stderr="")

    monkeypatch.setattr(catalogue.subprocess, "run", answer)
    return calls


def test_names_are_asked_for_once(asked):
    assert catalogue.names() == catalogue.names() == {"presets": ["a"], "data": ["b"]}
    assert len(asked) == 1


def test_names_are_asked_for_again_when_zoo_changes(asked, monkeypatch):
    catalogue.names()
    monkeypatch.setattr(catalogue, "_fingerprint", lambda: "other")
    catalogue.names()
    assert len(asked) == 2


def test_question_is_answered_by_zoo(capsys):
    exec(catalogue._QUESTION, {})
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
        "presets": zoo.list_presets(),
        "data": zoo.data.list_sources(),
    }


def test_configs_are_listed_whether_right_or_wrong(tmp_path):
    (tmp_path / "a.yaml").write_text("name: [")
    (tmp_path / "smoke.yaml").write_text((CONFIGS / "smoke.yaml").read_text())
    (_, wrong), (path, right) = catalogue.configs(tmp_path)
    assert isinstance(wrong, ConfigError)
    assert isinstance(right, Config)
    assert path.name == "smoke.yaml"


def test_a_preset_that_is_none_is_told_at_once_where_the_names_are_known(asked):
    config = load_config(CONFIGS / "smoke.yaml", ["model.preset=aa"])
    catalogue.check_preset(config)
    assert asked == []  # nobody is asked: the worker will find out
    catalogue.names()
    with pytest.raises(UserError, match=r"^model.preset: 'aa' is none; did you mean a\?$"):
        catalogue.check_preset(config)
    catalogue.check_preset(load_config(CONFIGS / "smoke.yaml", ["model.preset=a"]))
