"""SSD300: the paper's boxes and levels, and SSD on other backbones."""

import keras
import numpy as np
import pytest
from cases import QUICK_ON_TORCH, check_loads_elsewhere, check_task, fit_one_epoch, squares

import zoo


@pytest.fixture(scope="module")
def ssd300():
    return zoo.create("ssd300_vgg16", num_classes=20)


def test_it_has_the_papers_8732_boxes_on_six_levels(ssd300):
    # Liu 2016, section 3.1: 38, 19, 10, 5, 3 and 1 cells a side with 4 6 6 6 4 4 boxes.
    shapes = ssd300.backbone.compute_output_shape((None, 300, 300, 3))
    assert [shape[1:] for shape in shapes] == [
        (38, 38, 512), (19, 19, 1024), (10, 10, 512), (5, 5, 256), (3, 3, 256), (1, 1, 256),
    ]  # fmt: skip
    assert ssd300.anchors.shape == (8732, 4)


def test_boxes_are_torchvisions(ssd300):
    # torchvision's DefaultBoxGenerator for ssd300_vgg16: 38 cells 8 of 300 pixels apart; the first
    # cell's boxes are .07 and sqrt(.07 * .15) squares, then .07 at ratios 2 and 1/2.
    root, larger = np.sqrt(2), np.sqrt(0.07 * 0.15)
    sides = np.array(
        [[0.07, 0.07], [larger] * 2, [0.07 * root, 0.07 / root], [0.07 / root, 0.07 * root]]
    )
    centre = 4 / 300
    np.testing.assert_allclose(
        ssd300.anchors[:4], np.concatenate([centre - sides / 2, centre + sides / 2], 1), atol=1e-6
    )
    # The last level's one cell, 300 of 300 pixels apart, and its boxes of at most the picture.
    last = ssd300.anchors[-4:]
    np.testing.assert_allclose((last[:, :2] + last[:, 2:]) / 2, 0.5, atol=1e-6)
    assert (last[:, 2:] - last[:, :2]).max() == 1.0


def small(**overrides):
    """SSD of 64x64 pixels on a slim ResNet: 8x8, 4x4, 2x2 cells, and three levels of one cell."""
    options = {"class_names": ["square"], "image_size": 64, "backbone": "resnet18"}
    return zoo.create("ssd300_vgg16", **options | overrides)


@QUICK_ON_TORCH  # TinySSD is the same detector
def test_the_contract_of_a_task_holds():
    task = small(class_names=["square", "disc"])
    images, _ = squares(4)
    levels = np.cumsum([0, 64 * 4, 16 * 6, 4 * 6, 6, 4])
    boxes = np.tile(task.anchors[levels], (4, 1, 1))
    check_task(task, images, {"boxes": boxes, "labels": np.tile([0, 1] * 3, (4, 1))})


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    images, labels = squares(4, seed=1)
    task = small()
    task.compile(optimizer=keras.optimizers.Adam(1e-3))
    fit_one_epoch(task, images, labels, steps=12)
    return task, images, labels


@QUICK_ON_TORCH
def test_pictures_without_objects_have_a_finite_loss(trained):
    task, images, labels = trained
    nothing = labels | {"labels": np.full_like(labels["labels"], -1)}
    losses = task.evaluate(images, nothing, verbose=0, return_dict=True)
    assert np.isfinite(list(losses.values())).all()
    assert losses["box_loss"] == 0


@pytest.mark.slow
def test_a_published_file_gives_the_same_detections_on_every_backend(trained, tmp_path):
    task, images, _ = trained
    check_loads_elsewhere(task, list(images[:2]), tmp_path, atol=1e-4)
