"""What a retraining is told of its data: the same as a look at every picture finds."""

import json

import numpy as np
import pytest

from flows import data_survey, worker
from flows.config import dump_config, load_config
from tests.data.mask_sets import class_map, write_voc_masks
from tests.data.tiny_sets import voc_object, write_voc
from zoo.data import check_source, load_source

pytestmark = pytest.mark.any_backend

PLAIN = """
name: plain
backend: tensorflow
precision: float32
model: {preset: tiny_ssd}
data: {name: voc, path: %s, image_size: 64, batch_size: 1, on_defect: %s, options: {data_dir: %s}}
train: {epochs: 1, optimizer: {name: sgd, learning_rate: 0.01}}
"""


@pytest.fixture
def voc(tmp_path):
    """Two pictures in train, one of them in val too, and a box without area in train."""
    _, folder = write_voc(tmp_path / "set", voc_object((5, 5, 5, 9)), listed="good\nodd\n")
    (folder / "ImageSets/Main/val.txt").write_text("good\n")
    return folder


@pytest.fixture
def survey(tmp_path, monkeypatch, capsys):
    """Run the verb; return its exit code, what it wrote, and the lines it told."""
    monkeypatch.setattr(data_survey, "prepare_process", lambda: "tensorflow")

    def run(folder, *arguments, on_defect="skip"):
        file, out = tmp_path / "x.yaml", tmp_path / "survey.json"
        file.write_text(PLAIN % (folder, on_defect, tmp_path / "cache"))
        file.write_text(dump_config(load_config(file)))
        code = worker.main(["survey", str(file), "--out", str(out), *arguments])
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, json.loads(out.read_text()) if out.exists() else None, lines

    return run


def test_counts_are_those_of_a_look_at_every_picture(voc, tmp_path):
    source = load_source("voc", path=voc, on_defect="skip", data_dir=str(tmp_path / "cache"))
    looked = check_source(source, ["train", "val"])["splits"]
    assert data_survey.counts(source) == {
        split: {
            "pictures": told["pictures"],
            "classes": {name: counted["boxes"] for name, counted in told["classes"].items()},
        }
        for split, told in looked.items()
    }


def test_segmented_pictures_are_counted_by_pixels(tmp_path):
    form, folder = write_voc_masks(tmp_path / "set", listed="good\n")
    source = load_source(form, path=folder, on_defect="skip", data_dir=str(tmp_path / "cache"))
    told = data_survey.counts(source, ["train"])["train"]["classes"]
    pixels = np.bincount(class_map().ravel(), minlength=256)
    assert told["aeroplane"] == pixels[1]
    assert sum(source.inspect("train").label_counts.values()) == class_map().size - pixels[255]


@pytest.mark.parametrize("on_defect", ["skip", "stop"])
def test_every_defect_that_leaves_something_out_is_told(voc, survey, on_defect):
    code, told, lines = survey(voc, on_defect=on_defect)
    assert code == 0
    assert told["defects"]["train"]["kinds"] == {"degenerate_box": 1}
    assert "xml" in told["defects"]["train"]["listed"][0]
    assert told["defects"]["val"]["kinds"] == {}
    assert "wrote" in lines[-1]


def test_data_that_are_known_are_not_counted(voc, survey):
    _, told, _ = survey(voc)
    known = told["data_digest"]
    assert survey(voc, "--unless", json.dumps(known))[1] == {"data_digest": known}
    other = {**known, "train": "00"}
    assert "counts" in survey(voc, "--unless", json.dumps(other))[1]


def test_data_that_are_not_there_are_the_users_mistake(tmp_path, survey):
    code, told, lines = survey(tmp_path / "nowhere")
    assert (code, told) == (2, None)
    assert "nowhere" in lines[-1]["mistake"]
