"""A sweep is read whole, and its search space is tried on the base config at once."""

from pathlib import Path

import pytest
import yaml

from flows.config import load_config
from flows.config_errors import ConfigError
from flows.sweep_config import dump_sweep, load_sweep, sweep_hash, trial_config

pytestmark = pytest.mark.any_backend
PROJECT = Path(__file__).parents[2]
RATE = {"kind": "log", "low": 1e-4, "high": 1.0}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)

    def write_sweep(**changes):
        values = {
            "name": "s",
            "base": "configs/smoke.yaml",
            "space": {"train.optimizer.learning_rate": RATE},
            "metric": "ap50",
            "trials": 4,
        }
        path = tmp_path / "s.yaml"
        path.write_text(yaml.safe_dump(values | changes, sort_keys=False))
        return path

    return write_sweep


def mistakes(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_sweep(path, list(overrides))
    return [line.replace(str(path), "s.yaml") for line in caught.value.errors]


@pytest.mark.parametrize("path", sorted((PROJECT / "configs/sweeps").glob("*.yaml")), ids=str)
def test_shipped_sweep_reads_and_opens_with_its_command(path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    load_sweep(path)
    assert path.read_text().startswith(f"# zoo sweep configs/sweeps/{path.name}")


def test_a_sweep_holds_its_whole_base(write, tmp_path):
    sweep = load_sweep(write(), ["base.train.epochs=3"], trials=8)
    assert sweep.base == load_config("configs/smoke.yaml", ["train.epochs=3"])
    assert sweep.trials == 8
    again = tmp_path / "again.yaml"
    again.write_text(dump_sweep(sweep))
    assert load_sweep(again) == sweep


def test_the_file_changes_its_base_before_the_command_line_does(write):
    path = write(set={"train.epochs": 5, "train.log_steps": 3})
    sweep = load_sweep(path, ["base.train.epochs=3"])
    assert (sweep.base.train.epochs, sweep.base.train.log_steps) == (3, 3)
    assert mistakes(write(set={"train.epohcs": 5})) == [
        "s.yaml: set train.epohcs: unknown key; did you mean epochs?"
    ]


def test_more_trials_go_on_with_the_study_and_another_space_does_not(write):
    sweep = load_sweep(write())
    for same in ("trials=9", "concurrent=1", "time_limit=5", "resources.cpus=2"):
        assert sweep_hash(load_sweep(write(), [same])) == sweep_hash(sweep)
    for other in ("metric=ap", "base.train.epochs=3", "sampler.name=random", "pruner.name=none"):
        changed = load_sweep(write(sampler={"name": "tpe"}, pruner={"name": "median"}), [other])
        assert sweep_hash(changed) != sweep_hash(sweep)


def test_all_mistakes_are_told_in_the_words_of_the_file(write):
    path = write(
        space={"train.optimizer.learning_rate": {"kind": "lag", "lo": 1.0}}, trials=0, metrik="ap"
    )
    assert mistakes(path) == [
        "s.yaml: space.train.optimizer.learning_rate: kind must be one of float, log, int, choice; "
        "got 'lag' (text); did you mean log?",
        "s.yaml: trials: must be at least 1; got 0",
        "s.yaml: metrik: unknown key; did you mean metric?",
    ]


@pytest.mark.parametrize(
    ("key", "parameter", "said"),
    [
        (
            "train.optimizer.learing_rate",
            RATE,
            "unknown key; did you mean train.optimizer.learning_rate?",
        ),
        ("learning_rate", RATE, "unknown key; did you mean train.optimizer.learning_rate?"),
        ("train.epochs", {"kind": "int", "low": 0, "high": 3}, "0: must be at least 1; got 0"),
        ("train.epochs", {"kind": "int", "low": 3, "high": 3}, "low must be less than high"),
        ("train.seed", RATE, "0.0001: must be a whole number; got 0.0001"),
        ("data.limit", {"kind": "int", "low": 8, "high": 9}, "compared on the same pictures"),
        ("gate", {"kind": "choice", "values": [None]}, "cannot be varied"),
        (
            "train.optimizer.name",
            {"kind": "choice", "values": ["sgd", "adm"]},
            "'adm': must be one of sgd, adam, adamw; got 'adm' (text); did you mean adam?",
        ),
    ],
)
def test_a_space_that_no_config_takes_is_refused(write, key, parameter, said):
    line = mistakes(write(space={key: parameter}))[0]
    assert line.startswith(f"s.yaml: space: {key}: ")
    assert said in line


def test_keys_of_a_preset_are_its_own(write):
    space = {"model.options.iou_threshold": {"kind": "float", "low": 0.3, "high": 0.6}}
    sweep = load_sweep(write(space=space))
    options = trial_config(sweep.base, {"model.options.iou_threshold": 0.4}).model.options
    assert options == {"iou_threshold": 0.4}


def test_values_that_do_not_go_together_are_refused(write):
    space = {
        "train.optimizer.name": {"kind": "choice", "values": ["sgd", "adamw"]},
        "train.optimizer.momentum": {"kind": "float", "low": 0.0, "high": 0.9},
    }
    (line,) = mistakes(write(space=space))
    assert "train.optimizer.name = adamw, train.optimizer.momentum = 0.9" in line
    assert "momentum belongs to sgd" in line


def test_a_loss_is_to_be_minimized(write):
    assert "set direction: minimize" in mistakes(write(metric="loss"))[0]
    load_sweep(write(metric="loss", direction="minimize"))
