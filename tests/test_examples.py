"""The scripts of examples/ do what their pages say."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import SLOW_ON_JAX
from PIL import Image

from zoo.results import Detections

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *arguments):
    """Run an example as a script, in this process; return its variables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        return runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The variables of the training example, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ZOO_DATA_DIR", str(folder / "data"))
        return run("train_a_few_bananas.py"), folder


def overlap(box, other):
    """IoU of two boxes, by the example's own operation."""
    import zoo

    return float(zoo.ops.pairwise_iou(np.float32([box]), np.float32([other]))[0, 0])


@SLOW_ON_JAX
def test_a_few_bananas_are_learnt_and_published(trained):
    variables, folder = trained
    losses = variables["history"].history["loss"]
    assert losses[-1] < losses[0] / 3
    assert (folder / "few_bananas.keras").is_file()
    assert Image.open(folder / "banana.jpg").size == (256, 256)


@SLOW_ON_JAX
def test_the_banana_is_detected_and_drawn(trained):
    variables, folder = trained
    model, picture, out = (folder / name for name in ("few_bananas.keras", "banana.jpg", "out.png"))
    found = run("detect_and_draw.py", model, picture, out)["found"]
    assert overlap(found.boxes[0], variables["truth"].boxes[0]) > 0.5
    before, after = (np.asarray(Image.open(path).convert("RGB")) for path in (picture, out))
    left, top, right, bottom = found.boxes[0].round().astype(int)
    assert (before != after)[
        (top + bottom) // 2, left - 2 : left + 3
    ].any()  # the frame's left side
    assert (before == after)[top + 9 : bottom - 9, left + 9 : right - 9].all()


@SLOW_ON_JAX
def test_keras_alone_opens_the_file_and_finds_the_banana(trained):
    variables, folder = trained
    opened = run("open_a_file.py", folder / "few_bananas.keras", folder / "banana.jpg")
    assert opened["model"].class_names == ("banana",)
    outputs = opened["outputs"]
    assert outputs["boxes"].shape == (1, 100, 4)
    assert (outputs["labels"][0] >= 0).sum() == outputs["num"][0]
    assert overlap(outputs["boxes"][0, 0] * 256, variables["truth"].boxes[0]) > 0.5


def test_the_operations_alone_give_back_the_object_and_drop_the_double():
    variables = run("boxes_alone.py")
    assert tuple(variables["anchors"].shape) == (4 * 4 * 3, 4)
    assert overlap(np.asarray(variables["decoded"])[0], variables["objects"][0]) > 0.9999
    assert np.asarray(variables["kept"]).tolist() == [0, 2, -1]


@pytest.mark.any_backend
def test_the_scores_are_those_of_the_definition():
    variables = run("score_detections.py")
    metrics, floor = variables["metrics"], variables["floor"]
    assert isinstance(variables["answers"][1], Detections)
    assert len(variables["answers"][1]) == 0
    # One of two bananas: precision 1 at the 51 recalls up to .5 of 101. The apple's IoU is
    # 50 * 50 / (60 * 60) = .69, a hit at .5 and none at .75.
    assert metrics["ap50"] == pytest.approx((51 / 101 + 1) / 2)
    assert metrics["ap75"] == pytest.approx((51 / 101 + 0) / 2)
    assert floor["ap50"] == 0
