"""The whole way of `zoo predict`: command line, worker process on a backend, files, JSON."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

import zoo
from flows import worker

NAMES = ("apple", "pear")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.keras"
    zoo.create("tiny_ssd", class_names=NAMES, image_size=64, max_detections=5).publish(path)
    return path


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels[:50]).convert("L").save(folder / "b.jpg")
    return folder


def zoo_command(*arguments, cwd):
    command = [sys.executable, "-P", "-m", "flows.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_worker_annotates_on_this_backend(model, pictures, tmp_path):
    out = tmp_path / "out"
    code = worker.main(
        ["predict", "--out", str(out), "--min-score", "0", str(model), str(pictures)]
    )
    assert code == 0
    found = COCO(out / "images.json").loadRes(str(out / "predictions.json"))
    assert [(one["width"], one["height"]) for one in found.loadImgs([1, 2])] == [
        (120, 90),
        (120, 50),
    ]
    for row in found.loadAnns(found.getAnnIds()):
        x, y, width, height = row["bbox"]
        assert x >= 0
        assert y >= 0
        assert x + width <= 120.001
        assert y + height <= (90.001 if row["image_id"] == 1 else 50.001)
    with Image.open(out / "b.jpg") as copy:
        assert (copy.mode, copy.size) == ("RGB", (120, 50))


@pytest.mark.any_backend
def test_json_is_alone_on_stdout_and_a_broken_picture_one_line(model, pictures, tmp_path):
    (pictures / "c.jpg").write_bytes(b"no picture")
    answer = zoo_command("predict", model, "in", "--min-score", 0, "--json", cwd=tmp_path)
    told = json.loads(answer.stdout)
    assert answer.returncode == 2
    assert [image["file_name"] for image in told["images"]] == ["in/a.png", "in/b.jpg"]
    assert told["categories"] == [{"id": 0, "name": "apple"}, {"id": 1, "name": "pear"}]
    assert len(told["predictions"]) == sum(image["detections"] for image in told["images"])
    lines = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert lines == ["error: in/c.jpg: not a picture that can be read (unknown format). "
                     "Is it JPEG or PNG?"]  # fmt: skip
    assert "Traceback" not in answer.stderr
    assert "Warning" not in answer.stderr


@pytest.mark.slow  # tests/hostile has it too
@pytest.mark.any_backend
def test_model_with_a_lambda_is_refused_in_one_line(pictures, tmp_path):
    path = tmp_path / "l.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x)]).save(path)
    answer = zoo_command("predict", path, pictures, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: {path}: cannot be opened as a model: ")
    assert "lambda" in line
    assert not (tmp_path / "predictions").exists()
