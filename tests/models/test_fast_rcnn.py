"""Fast R-CNN: regions from outside, one pass, a look at each."""

import keras
import numpy as np
import pytest
from cases import (
    QUICK_ON_TORCH,
    SLOW_ON_JAX,
    check_loads_elsewhere,
    check_task,
    fit_one_epoch,
    small_fast_rcnn,
    squares,
    with_proposals,
)

import zoo


def test_the_contract_of_a_task_holds():
    task = small_fast_rcnn(class_names=["square", "disc"])
    images, labels = squares(4)
    labels["labels"][1:, 1] = 1
    labels["boxes"][1:, 1] = [0.5, 0.5, 0.8, 0.9]
    check_task(task, with_proposals(task, images), labels, learning_rate=0.01)


@SLOW_ON_JAX
def test_pictures_without_objects_have_a_finite_loss():
    task = small_fast_rcnn()
    images, labels = squares(2)
    labels["labels"][:] = -1
    task.compile(optimizer=keras.optimizers.SGD(0.01))
    losses = task.train_on_batch(with_proposals(task, images), labels, return_dict=True)
    assert np.isfinite(losses["loss"])
    assert losses["box_loss"] == 0


@SLOW_ON_JAX
def test_padding_is_never_an_answer():
    task = small_fast_rcnn(score_threshold=0.0)
    batch = {"images": squares(1)[0], "proposals": np.zeros((1, 48, 4), "float32")}
    assert task.predict_on_batch(batch)["num"][0] == 0


def test_regions_that_pool_the_same_cells_score_the_same_to_the_last_bit(monkeypatch):
    """Else rounding, another one on every backend, would choose which of them is kept."""
    task = small_fast_rcnn(score_threshold=0.0, iou_threshold=1.0, max_detections=48)
    crop, ops = task._crop, keras.ops
    rounding = 1 + 1e-3 * np.arange(48, dtype="float32").reshape(1, 48, 1, 1, 1)
    monkeypatch.setattr(task, "_crop", lambda *args: crop(*args) * ops.convert_to_tensor(rounding))
    proposals = np.tile(np.float32([0.2, 0.2, 0.7, 0.6]), (1, 48, 1))
    proposals += np.random.default_rng(0).uniform(0, 0.003, proposals.shape).astype("float32")
    found = task.predict_on_batch({"images": squares(1)[0], "proposals": proposals})
    assert found["num"][0] == 48
    assert len(set(found["scores"][0].tolist())) == 1


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    images, labels = squares(4, seed=1)
    task = small_fast_rcnn()
    task.compile(optimizer=keras.optimizers.Adam(2e-3))
    fit_one_epoch(task, with_proposals(task, images), labels, steps=40)
    return task, images, labels


@SLOW_ON_JAX
def test_it_overfits_four_pictures(trained):
    task, images, labels = trained
    for found, boxes in zip(task.detect(list(images)), labels["boxes"], strict=True):
        assert found.scores[0] > 0.5
        iou = zoo.ops.pairwise_iou(found.boxes[:1] / 64, boxes[:1])
        assert float(keras.ops.convert_to_numpy(iou)[0, 0]) > 0.5


@SLOW_ON_JAX
def test_boxes_are_in_the_pixels_of_a_picture_of_any_size(trained):
    task, images, labels = trained
    (found,) = task.detect(np.kron(images[1], np.ones((2, 2, 1), "uint8")))
    iou = zoo.ops.pairwise_iou(found.boxes[:1] / 128, labels["boxes"][1, :1])
    assert float(keras.ops.convert_to_numpy(iou)[0, 0]) > 0.5


@QUICK_ON_TORCH
def test_a_published_file_gives_the_same_detections_on_every_backend(trained, tmp_path):
    task, images, _ = trained
    check_loads_elsewhere(task, list(images[:2]), tmp_path, atol=1e-4)
