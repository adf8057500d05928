"""`zoo import`: a checkpoint of torchvision's becomes a published model."""

import json
import subprocess
import sys

import numpy as np
import pytest

import zoo
from flows import worker
from tests.weights.pure_weights import pure_state, read_fixture

numpy_files = pytest.importorskip("safetensors.numpy")


@pytest.fixture(scope="module")
def ssd300(tmp_path_factory):
    """A file of SSD300's weights, for three classes."""
    path = tmp_path_factory.mktemp("weights") / "ssd300.safetensors"
    numpy_files.save_file(read_fixture("ssd300_vgg16")[0], path)
    return path


def told(capsys):
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    return [row["mistake"] for row in rows if "mistake" in row]


@pytest.mark.slow
def test_command_writes_a_model_with_the_weights_and_the_names(ssd300, tmp_path):
    (tmp_path / "names.txt").write_text("red\ngreen\n\nblue\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "flows.cli", "import", "torchvision:ssd300_vgg16"]
    command += [str(ssd300), "--out", "model.keras", "--classes", "names.txt"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "model.keras\n"), answer.stderr
    task = zoo.load(tmp_path / "model.keras")
    assert task.class_names == ("red", "green", "blue")
    kernel = next(w for w in task.weights if w.path.endswith("conv1_1/kernel"))
    wanted = read_fixture("ssd300_vgg16")[0]["backbone.features.0.weight"]
    np.testing.assert_array_equal(np.asarray(kernel.numpy())[1, 2, 0, 5], wanted[5, 0, 1, 2])


@pytest.mark.any_backend
def test_a_segmenter_counts_its_background(tmp_path, capsys):
    # As torchvision publishes it: with an auxiliary head, which the model does without.
    file = tmp_path / "fcn.safetensors"
    numpy_files.save_file(read_fixture("fcn_resnet50")[0], file)
    out = tmp_path / "model.keras"
    command = ["import", "torchvision:fcn_resnet50", str(file), f"--out={out}"]
    assert worker.main([*command, "--image-size=64"]) == 0, told(capsys)
    assert zoo.load(out).class_names == ("class_0", "class_1", "class_2", "class_3")


@pytest.mark.any_backend
def test_what_does_not_fit_is_told(ssd300, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("red\n", encoding="utf-8")
    few = tmp_path / "few.safetensors"
    numpy_files.save_file(pure_state({"w": (2,)}), few)
    out = f"--out={tmp_path / 'model.keras'}"
    for arguments, message in (
        (["torchvision:ssd300", str(ssd300)], "can be imported from torchvision:ssd300_vgg16"),
        (["torchvision:ssd300_vgg16", str(few)], "Is it of another architecture?"),
        (["torchvision:ssd300_vgg16", str(tmp_path / "no.pth")], "no such file"),
        ([f"--classes={names}", "torchvision:ssd300_vgg16", str(ssd300)], "holds 1 names; the"),
        (["--norm-epsilon=0.1", "torchvision:ssd300_vgg16", str(ssd300)], "has no batch norms"),
    ):
        assert worker.main(["import", out, *arguments]) == 2
        (mistake,) = told(capsys)
        assert message in mistake
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.any_backend
def test_cocos_names_are_numbered_as_its_categories():
    from flows.coco_names import COCO_NAMES

    # COCO's category ids: 1 person, 18 dog, 52 banana, 90 toothbrush; 12 was never given out.
    named = {number: COCO_NAMES[number - 1] for number in (1, 12, 18, 52, 90)}
    assert named == {1: "person", 12: "unused_12", 18: "dog", 52: "banana", 90: "toothbrush"}
    assert sum(not name.startswith("unused") for name in COCO_NAMES) == 80
