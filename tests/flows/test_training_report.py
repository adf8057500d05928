"""What `zoo train` shows while a run goes on and at its end."""

import json

import pytest

from flows.summary import RunSummary
from flows.training_report import Progress, show_summary

pytestmark = pytest.mark.any_backend


class Screen:
    """Stand in for the bar: remember what it is told."""

    def __init__(self):
        self.lines = []
        self.bars = []

    def write(self, line):
        self.lines.append(line)

    def update(self, *values):
        self.bars.append(values)


STARTED = {
    "kind": "started", "num_params": 1234567, "train_size": 70, "val_size": 10,
    "parameters": {"train": {"epochs": 3}, "data": {"batch_size": 32}},
}  # fmt: skip


@pytest.fixture
def screen():
    return Screen()


def test_bar_counts_whole_batches_of_all_epochs(screen):
    show = Progress(screen)
    show(STARTED)
    metrics = {"train/step_loss": 0.25, "train/pictures_per_second": 40.0}
    show({"kind": "step", "step": 3, "epoch": 2, "metrics": metrics})
    assert screen.lines == ["1,234,567 parameters; 70 pictures to learn from, 10 to validate on"]
    assert screen.bars == [("training", 3, 6, "epoch 2/3, loss 0.25, 40.0 pictures/s")]


def test_evaluation_stays_on_the_screen(screen):
    show = Progress(screen)
    show(STARTED)
    metrics = {"val/ap50": 0.5, "val/ap": 0.25}
    show({"kind": "evaluation", "step": 4, "epoch": 2, "metrics": metrics})
    assert screen.lines[1:] == ["epoch 2/3: ap50 0.500, ap 0.250"]


def test_an_early_stop_tells_of_the_best(screen):
    stopped = {"step": 40, "epoch": 4, "best_step": 20, "best": 0.5, "metric": "ap50"}
    Progress(screen)({"kind": "stopped", **stopped})
    assert screen.lines == ["stopped after epoch 4: ap50 was best after step 20, 0.500"]


def test_masks_are_told_where_there_are_any(screen):
    metrics = {"val/ap50": 0.5, "val/ap": 0.25, "val/mask_ap50": 0.4, "val/mask_ap": 0.125}
    Progress(screen)({"kind": "evaluation", "step": 4, "epoch": 2, "metrics": metrics})
    assert screen.lines == ["epoch 2/0: ap50 0.500, ap 0.250, mask_ap50 0.400, mask_ap 0.125"]


def test_reading_of_data_moves_the_bar(screen):
    Progress(screen)({"kind": "preparing", "what": "searching proposals in train", "done": 64})
    assert screen.bars == [("searching proposals in train", 64)]


def test_unknown_events_are_passed_over(screen):
    Progress(screen)({"kind": "something new"})
    assert (screen.lines, screen.bars) == ([], [])


def test_summary_shows_the_books_figures_beside_the_trivial_ones(tmp_path, capsys):
    told = {
        "train/class_error": 0.00326,
        "train/box_mae": 0.00313,
        "train/trivial_class_error": 0.004,
        "train/trivial_box_mae": 0.005,
    }
    event = {"seq": 0, "time": 0.0, "kind": "epoch", "step": 8, "epoch": 2, "metrics": told}
    (tmp_path / "journal.jsonl").write_text(json.dumps(event) + "\n")
    show_summary(summary(tmp_path))
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")] for line in out.splitlines() if "│" in line]
    assert ["class_error (training)", "0.00326", "0.004"] in rows
    assert ["box_mae (training)", "0.00313", "0.005"] in rows
    assert "models:/book/3, measured in a fresh process on jax" in out
    assert "gate         not promoted: ap50 0.75 is below 0.8" in out
    assert "seconds      total 12.0, worker 10.0" in out
    assert "try it       zoo predict models:/book/3 PICTURE" in out


def test_the_test_split_has_its_own_table_with_the_classes(tmp_path, capsys):
    test = dict.fromkeys(("ap", "ap50", "ap75", "ar_100", "voc07_ap50"), 0.5)
    test["ap_per_class"] = {"cell": 0.25, "platelet": 0.125}
    show_summary(summary(tmp_path, test=test))
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")] for line in out.splitlines() if "│" in line]
    assert ["ap50", "0.5"] in rows
    assert ["ap of platelet", "0.125"] in rows


def test_what_was_left_out_of_the_data_is_told(tmp_path, capsys):
    found = {"train": {"degenerate_box": 2, "empty_file": 1}, "val": {}}
    show_summary(summary(tmp_path, defects=found))
    assert "data defects train: degenerate_box 2, empty_file 1\n" in capsys.readouterr().out
    show_summary(summary(tmp_path))
    assert "data defects none\n" in capsys.readouterr().out


def test_a_champion_is_called_by_its_alias(tmp_path, capsys):
    show_summary(summary(tmp_path, aliases=["challenger", "champion"], promoted=True))
    assert "zoo predict models:/book@champion PICTURE" in capsys.readouterr().out


def summary(folder, **changes):
    metrics = dict.fromkeys(("ap", "ap50", "ap75", "ar_100", "voc07_ap50"), 0.75)
    values = {
        "name": "book",
        "run_dir": str(folder),
        "backend": "torch",
        "backend_reason": "asked for",
        "precision": "float32",
        "precision_reason": "asked for",
        "metrics": metrics,
        "trivial": dict.fromkeys(metrics, 0.0),
        "verified_on": "jax",
        "tracking_uri": "sqlite:///x.db",
        "mlflow_run_id": "1f",
        "version": "3",
        "aliases": ["challenger"],
        "promoted": False,
        "reasons": ["ap50 0.75 is below 0.8"],
        "timings": {"worker": 10.0, "total": 12.0},
    }
    return RunSummary(**values | changes)
