"""Runs beside one another: the best is marked, what differs is shown, other data are warned of."""

import json
import re
from pathlib import Path

import pytest
from report_run import SCRIPT, summary, write_journal

from flows import cli
from flows.comparison import compare
from flows.config import dump_config, load_config
from flows.console import Best, show_table
from flows.figures import lower_is_better
from flows.journal import Journal
from flows.run_facts import RunFacts, best_of
from flows.run_folder import RunFolder

pytestmark = pytest.mark.any_backend

SMOKE = Path(__file__).parents[2] / "configs" / "smoke.yaml"


def make(home, name, ap50, *, changes=(), digest="bb"):
    """Make the folder of a finished run that has these figures."""
    folder = RunFolder(home / "runs" / name)
    folder.path.mkdir(parents=True)
    folder.config.write_text(dump_config(load_config(SMOKE, changes, backend="tensorflow")))
    write_journal(folder, digest=digest)
    figures = {"ap50": ap50, "ap": ap50 / 2, "ap_per_class": {SCRIPT: ap50, "bee": -1.0}}
    scores = {"metrics": figures, "trivial": {"ap50": 0.0, "ap": 0.0}, "backend": "tensorflow"}
    summary(folder, scores).write(folder.summary)
    return folder


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    one = make(tmp_path, "one", 0.25)
    other = make(tmp_path, "two", 0.75, changes=["train.seed=1", "train.log_steps=5"])
    return one, other


def test_the_best_of_each_metric_is_told(runs):
    told = compare([RunFacts.read(run) for run in runs]).plain()
    assert told["metrics"]["ap50"] == {"one": 0.25, "two": 0.75}
    assert told["best"]["ap50"] == ["two"]
    assert told["metrics"][f"ap_class/{SCRIPT}"] == {"one": 0.25, "two": 0.75}
    assert "loss" not in told["best"]  # both have the same
    assert list(told["metrics"])[:3] == ["ap50", "ap", "loss"]  # what a summary shows comes first


def test_only_what_differs_in_the_result_is_shown_of_the_configs(runs):
    told = compare([RunFacts.read(run) for run in runs]).plain()
    assert told["config"] == {"train.seed": {"one": 0, "two": 1}}
    assert told["warnings"] == []


@pytest.mark.parametrize(
    ("changes", "digest", "warned"),
    [((), "cc", True), (["data.limit=16"], "bb", True), (["train.seed=3"], "bb", False)],
)
def test_figures_on_other_pictures_are_warned_of(runs, tmp_path, changes, digest, warned):
    third = make(tmp_path, "three", 0.5, changes=changes, digest=digest)
    warnings = compare([RunFacts.read(runs[0]), RunFacts.read(third)]).warnings
    assert any("not scored on the same pictures" in told for told in warnings) == warned


def test_an_unfinished_run_is_compared_by_what_training_measured(runs, tmp_path):
    runs[1].summary.unlink()
    told = compare([RunFacts.read(run) for run in runs])
    assert told.plain()["metrics"]["ap50"] == {"one": 0.25, "two": 0.25}
    assert "two did not come to its end" in told.warnings[0]


def test_a_run_compared_with_itself_has_two_names(runs):
    facts = RunFacts.read(runs[0])
    assert compare([facts, facts]).names == ["one", "one #2"]


def test_of_losses_the_lower_is_the_better():
    assert best_of("loss", [2.0, 1.0]) == 1.0
    assert best_of("ap", [2.0, 1.0, None]) == 2.0
    assert best_of("ap", [1.0, None]) is None
    assert best_of("trivial_box_mae", [1.0, 2.0]) is None
    names = ("cross_entropy", "miou", "box_mae", "top1")
    assert list(filter(lower_is_better, names)) == ["cross_entropy", "box_mae"]


def test_the_best_number_is_bold_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    show_table(["metric", "one", "two"], [["ap", 0.25, Best(0.75)]])
    assert re.search(r"\x1b\[1m *0.75", capsys.readouterr().out)


def test_the_command_prints_and_writes_a_page(runs, tmp_path, capsys):
    page = tmp_path / "out" / "compare.html"
    assert cli.run(["compare", "one", str(runs[1].path), "--out", str(page)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"ap50 +│ +0.25 │ +0.75", out)
    assert re.search(r"train.seed +│ +0 │ +1", out)
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert re.search(r'<strong class="best">0.75</strong>', html)
    assert html.count('<path d="M') >= 2  # a curve a run


def test_json_holds_the_same(runs, capsys):
    assert cli.run(["compare", "one", "two", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in told["runs"]] == ["one", "two"]
    assert told["timings"]["total, seconds"] == {"one": 9.0, "two": 9.0}


def test_one_run_is_not_compared(runs, capsys):
    assert cli.run(["compare", "one"]) == 2
    assert "two runs or more; got 1" in capsys.readouterr().err


def test_a_run_that_failed_before_its_start_is_compared_too(runs, tmp_path):
    folder = RunFolder(tmp_path / "runs" / "dead")
    folder.path.mkdir()
    folder.config.write_text(runs[0].config.read_text())
    Journal(folder.journal).append("failed", reason="no data")
    told = compare([RunFacts.read(runs[0]), RunFacts.read(folder)])
    assert told.plain()["metrics"]["ap50"] == {"one": 0.25, "dead": None}
