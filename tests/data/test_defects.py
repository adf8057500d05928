"""Broken data sets: each defect is told with its place, counted, and costs no more than it must."""

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.data.defect_cases import CASES
from tests.data.defect_cases_of_instances import INSTANCE_CASES
from tests.data.defect_cases_of_masks import MASK_CASES
from tests.data.defect_cases_of_text import TEXT_CASES
from tests.data.tiny_sets import coco_row, voc_object, write_coco_set, write_voc
from zoo.data import load_source
from zoo.data.defects import KINDS, is_left_out

pytestmark = pytest.mark.any_backend

ALL_CASES = [*CASES, *TEXT_CASES, *MASK_CASES, *INSTANCE_CASES]
OBJECTS = {"voc": 2, "voc_segmentation": 0, "mask_folders": 0}  # of a good picture; else 1


def load(written, folder, on_defect="skip"):
    form, path = written
    return load_source(form, path=path, on_defect=on_defect, data_dir=str(folder / "cache"))


def boxes_of(source, split):
    records = source.records(split).as_numpy_iterator()
    return {record["image_id"].decode(): len(record["labels"]) for record in records}


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_defect_is_told_and_costs_no_more_than_it_must(case, tmp_path):
    written = case.write(tmp_path / "set")
    source = load(written, tmp_path)
    split = source.splits[0]
    assert source.skipped(split) == {case.kind: 1}
    (defect,) = source.defects(split)
    assert defect.kind == case.kind
    assert re.search(case.told, str(defect)), str(defect)
    assert str(defect).isprintable()
    found = boxes_of(source, split)
    (good,) = [count for image_id, count in found.items() if image_id.endswith("good")]
    assert good == OBJECTS.get(written[0], 1)
    if case.id:
        effect = KINDS[case.kind].effect
        assert (case.id in found) == (effect != "picture")
        assert effect != "box" or found[case.id] == 1  # its other object
    stops = load(written, tmp_path, "stop")
    if is_left_out(case.kind):
        told = rf"@{split}: 1 defect \({case.kind} 1\): .*on_defect: skip.*`zoo data check "
        with pytest.raises(ValueError, match=told):
            stops.records(split)
    else:
        assert boxes_of(stops, split) == found


def test_there_are_at_least_sixty_cases_with_names_of_their_own():
    assert len({case.name for case in ALL_CASES}) == len(ALL_CASES) >= 60


def test_every_kind_of_defect_has_a_case():
    assert {case.kind for case in ALL_CASES} == set(KINDS)


def test_page_of_the_formats_names_every_kind():
    page = (Path(__file__).parents[2] / "docs/data_formats.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", page, flags=re.MULTILINE)
    effects = {"told": "told, and used", "box": "the box is left out"}
    assert rows == [
        (kind, what.meaning, effects.get(what.effect, "the picture is left out"))
        for kind, what in KINDS.items()
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_without_permission_is_told_and_read_once_it_is_given(tmp_path):
    written = write_voc(tmp_path / "set", voc_object())
    picture = written[1] / "JPEGImages/odd.jpg"
    picture.chmod(0)
    source = load(written, tmp_path)
    assert source.skipped("train") == {"unreadable_file": 1}
    (defect,) = source.defects("train")
    assert "odd.jpg: cannot be read: permission denied" in str(defect)
    picture.chmod(0o644)
    assert load(written, tmp_path).skipped("train") == {}


def test_several_defects_are_counted_by_kind_and_the_first_are_told(tmp_path):
    rows = [coco_row(id=10 + n, bbox=[4, 6, 0, n]) for n in range(1, 6)]
    written = write_coco_set(tmp_path / "set", *rows, coco_row(id=20, category_id=9))
    with pytest.raises(
        ValueError, match=r"6 defects \(degenerate_box 5, unknown_class 1\): "
    ) as it:
        load(written, tmp_path, "stop").size("train")
    assert str(it.value).count("instances_train.json:") == 3
    assert "\n" not in str(it.value)


@pytest.mark.parametrize("name", ["a b", "a@b", "a:b", "it's", "ü"])
def test_remedy_names_a_spec_that_the_shell_takes(name, tmp_path):
    written = write_voc(tmp_path / name, voc_object((4, 6, 4, 6)))
    with pytest.raises(ValueError, match="zoo data check") as it:
        load(written, tmp_path, "stop").size("train")
    command = str(it.value).rpartition("`zoo data check ")[2].removesuffix("`.")
    assert shlex.split(command) == [f"voc:{written[1]}"]


def test_unknown_on_defect_is_refused(tmp_path):
    with pytest.raises(ValueError, match="on_defect must be stop or skip; got 'ignore'"):
        load(write_voc(tmp_path / "set"), tmp_path, "ignore")
