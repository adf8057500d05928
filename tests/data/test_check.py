"""What `zoo data check` finds: counts, classes, boxes, equal pictures, defects, and exit codes."""

import json
import re

import numpy as np
import pytest

from flows import cli, worker
from flows.data_report import show_report
from tests.data.mask_sets import class_map, write_voc_masks
from tests.data.tiny_sets import coco_row, picture, voc_object, write_coco_set, write_voc
from tests.shared_data import shared_data
from zoo.data import check_source, load_source
from zoo.data.statistics import Spread

pytestmark = pytest.mark.any_backend


def check(written, tmp_path, *splits):
    form, path = written
    source = load_source(form, path=path, on_defect="skip", data_dir=str(tmp_path / "cache"))
    return check_source(source, splits or None)


def test_counts_and_classes_are_those_of_the_files(tmp_path):
    rows = [coco_row(iscrowd=1), coco_row(id=4, segmentation=[[4, 6, 20, 6, 20, 30]])]
    report = check(write_coco_set(tmp_path / "set", *rows), tmp_path)
    told = report["splits"]["train"]
    assert (told["pictures"], told["boxes"], told["crowds"], told["masks"]) == (2, 4, 1, 1)
    assert told["classes"] == {
        "cat": {"boxes": 2, "pictures": 1},
        "dog": {"boxes": 2, "pictures": 2},
    }
    assert told["empty_pictures"] == 0
    assert report["class_names"] == ["cat", "dog"]
    assert report["defects"] == []


def test_statistics_are_of_shares_of_the_picture_and_of_pixels(tmp_path):
    written = write_voc(tmp_path / "set", voc_object((0, 0, 48, 32)), listed="odd\n")
    told = check(written, tmp_path)["splits"]["train"]
    assert told["box_size"]["largest"] == 1
    assert told["box_size"]["smallest"] == pytest.approx((16 * 16 / (48 * 32)) ** 0.5)
    assert told["box_aspect"]["largest"] == pytest.approx(48 / 32)
    assert told["box_aspect"]["smallest"] == pytest.approx(1)
    assert told["boxes_per_picture"]["mean"] == 2
    assert told["picture_width"]["median"] == 48


def test_equal_pictures_are_found_within_and_between_splits(tmp_path):
    form, folder = write_voc(tmp_path / "set", image=picture(quality=20))
    for name in ("third", "fourth"):
        (folder / f"JPEGImages/{name}.jpg").write_bytes(picture())  # good.jpg's bytes
        (folder / f"Annotations/{name}.xml").write_bytes(
            (folder / "Annotations/good.xml").read_bytes()
        )
    (folder / "ImageSets/Main/train.txt").write_text("good\nodd\nthird\n")
    (folder / "ImageSets/Main/val.txt").write_text("fourth\nodd\n")
    (folder / "ImageSets/Main/trainval.txt").write_text("good\nodd\nthird\nfourth\n")
    report = check((form, folder), tmp_path)
    assert list(report["splits"]) == ["train", "val"]  # trainval is both
    assert report["duplicates"]["within"] == {"train": 1, "val": 0}
    assert report["duplicates"]["between"] == [["train", "val", 2]]
    assert sorted(report["duplicates"]["groups"]) == [
        ["train/good", "train/third", "val/fourth"],
        ["train/odd", "val/odd"],
    ]
    assert list(check((form, folder), tmp_path, "trainval")["splits"]) == ["trainval"]


def test_every_defect_is_listed_with_what_became_of_it(tmp_path):
    boxes = [voc_object((4, 6, 4, 9)), voc_object((-9, 6, 9, 9))]
    report = check(write_voc(tmp_path / "set", *boxes), tmp_path)
    found = [(one["kind"], one["effect"], one["line"]) for one in report["defects"]]
    assert found == [("degenerate_box", "box left out", 3), ("box_partly_outside", "used", 8)]
    assert report["splits"]["train"]["defects"] == {"box_partly_outside": 1, "degenerate_box": 1}


def test_split_without_a_usable_picture_is_reported(tmp_path):
    report = check(write_voc(tmp_path / "set", image=b"", listed="odd\n"), tmp_path)
    assert report["splits"]["train"]["pictures"] == 0
    assert report["splits"]["train"]["box_size"] is None
    assert [one["kind"] for one in report["defects"]] == ["empty_file"]


def test_painted_pictures_have_no_defects(bananas):
    report = check_source(bananas, ["val"])
    assert report["splits"]["val"]["pictures"] == 5
    assert report["defects"] == []
    assert json.loads(json.dumps(report)) == report


def test_quantiles_of_few_distinct_numbers_are_exact():
    spread = Spread()
    spread.add(np.repeat([1.0, 2.0, 7.0], [10, 85, 5]))
    told = spread.summary()
    assert (told["p5"], told["median"], told["p95"], told["largest"]) == (1, 2, 2, 7)


def test_quantiles_of_many_numbers_are_right_within_their_step():
    values = np.random.default_rng(0).lognormal(0, 1, 10_000)
    spread = Spread()
    for part in np.array_split(values, 77):
        spread.add(part)
    told = spread.summary()
    assert (told["smallest"], told["largest"]) == (values.min(), values.max())
    assert told["mean"] == pytest.approx(values.mean())
    for name, share in (("p5", 0.05), ("median", 0.5), ("p95", 0.95)):
        assert told[name] == pytest.approx(np.quantile(values, share), rel=0.025)


def test_blood_cells(tmp_path):
    report = check(("voc", shared_data("bccd/BCCD")), tmp_path)
    pictures = {split: told["pictures"] for split, told in report["splits"].items()}
    assert pictures == {"train": 205, "val": 87, "test": 72}
    assert sum(told["boxes"] for told in report["splits"].values()) == 4886
    assert [one["kind"] for one in report["defects"]] == ["degenerate_box"] * 2


@pytest.mark.slow
def test_command_prints_everything_and_exits_with_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "cache"))
    _, folder = write_voc(tmp_path / "a set@home", voc_object((4, 6, 4, 9)))
    assert cli.run(["data", "check", f"voc:{folder}@train"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "defects: 1" in told
    assert "odd.xml:3: a box of no width or height" in told
    assert "[train, degenerate_box, box left out]" in told
    assert "equal pictures: 1 repeated" in told.replace("train: ", "")


def report_of(spec, tmp_path, monkeypatch, capsys):
    """(exit code, report or None, what the verb told) in this process."""
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "cache"))
    out = tmp_path / "report.json"
    code = worker.main(["check", spec, "--out", str(out)])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return code, json.loads(out.read_text()) if out.exists() else None, lines


def test_verb_writes_the_report_and_tells_so(tmp_path, monkeypatch, capsys):
    _, folder = write_coco_set(tmp_path / "set")
    code, report, lines = report_of(f"coco:{folder}", tmp_path, monkeypatch, capsys)
    assert code == 0
    assert report["data"] == f"coco:{folder}"
    assert lines[-1] == {"wrote": str(tmp_path / "report.json")}
    assert lines[0]["what"] == f"reading coco:{folder}@train"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("voc:nowhere", "nowhere: expected a Pascal VOC folder"),
        ("vok:nowhere", "data source must be one of .*; got 'vok'. Did you mean voc"),
        ("voc", "data voc needs a path"),
        ("bananas:x", "data bananas has no path; got 'x'. Leave it out"),
    ],
)
def test_wrong_spec_is_the_users_mistake(spec, message, tmp_path, monkeypatch, capsys):
    code, report, lines = report_of(spec, tmp_path, monkeypatch, capsys)
    assert (code, report) == (2, None)
    assert re.search(message, lines[-1]["mistake"])


def test_segmented_pictures_are_counted_by_pixels(tmp_path, capsys):
    report = check(write_voc_masks(tmp_path / "set", listed="good\n"), tmp_path)
    told = report["splits"]["train"]
    counts = np.bincount(class_map().ravel(), minlength=256)
    assert report["segmented"]
    assert told["classes"]["aeroplane"] == {"pixels": counts[1], "pictures": 1}
    assert told["classes"]["sofa"] == {"pixels": 0, "pictures": 0}
    assert told["void_pixels"] == counts[255]
    show_report(report)
    shown = capsys.readouterr().out
    assert f"{counts[1] / (32 * 48 - counts[255]):.2%}" in shown
    assert re.search(r"\(void\).*6\.25%", shown)
