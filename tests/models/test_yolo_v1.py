"""YOLO v1: one grid, its training, its detections."""

import keras
import numpy as np
import pytest
from cases import (
    QUICK_ON_TORCH,
    SLOW_ON_JAX,
    check_loads_elsewhere,
    check_task,
    compiled,
    fit_one_epoch,
    small_yolo,
    squares,
)

import zoo


def test_at_448_pixels_it_has_the_papers_7_by_7_cells_of_two_boxes():
    task = zoo.create("yolo_v1", num_classes=20)
    shapes = keras.tree.map_structure(
        lambda output: tuple(output.shape),
        task.compute_output_spec(keras.KerasTensor((1, 448, 448, 3)), training=True),
    )
    # The paper's tensor of 7 x 7 x 30: 20 classes, 2 confidences, 2 boxes of 4 numbers.
    assert shapes == {
        "class_scores": (1, 49, 20),
        "confidences": (1, 49, 2),
        "cell_boxes": (1, 49, 2, 4),
    }


def test_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"has 8x8 at 64x64 pixels; got 7"):
        small_yolo(grid=7)


def test_the_contract_of_a_task_holds():
    task = small_yolo(class_names=["square", "disc"])
    images, labels = squares(4)
    labels["labels"][1:, 1] = 1
    labels["boxes"][1:, 1] = [0.5, 0.5, 0.8, 0.9]
    check_task(task, images, labels, learning_rate=0.01)


def test_pictures_without_objects_have_a_finite_loss():
    task = small_yolo()
    images, labels = squares(4)
    labels["labels"][:] = -1
    task.compile(optimizer=keras.optimizers.SGD(0.01))
    losses = task.train_on_batch(images, labels, return_dict=True)
    assert np.isfinite(losses["loss"])
    assert losses["box_loss"] == losses["class_loss"] == 0


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    images, labels = squares(4, seed=1)
    task = small_yolo()
    task.compile(optimizer=keras.optimizers.Adam(2e-3))
    fit_one_epoch(task, images, labels, steps=80)
    return task, images, labels


@SLOW_ON_JAX
def test_it_overfits_four_pictures(trained):
    task, images, labels = trained
    for found, boxes in zip(task.detect(list(images)), labels["boxes"], strict=True):
        assert len(found), "nothing found"
        assert found.scores[0] > 0.4
        iou = zoo.ops.pairwise_iou(found.boxes[:1] / 64, boxes[:1])
        assert float(keras.ops.convert_to_numpy(iou)[0, 0]) > 0.5


@SLOW_ON_JAX
def test_answers_have_static_shapes(trained):
    task, images, _ = trained
    outputs = compiled(lambda batch: task(batch, training=False))(images[:3])
    shapes = {name: tuple(outputs[name].shape) for name in ("boxes", "scores", "labels", "num")}
    assert shapes == {"boxes": (3, 100, 4), "scores": (3, 100), "labels": (3, 100), "num": (3,)}


@QUICK_ON_TORCH
def test_a_published_file_gives_the_same_detections_on_every_backend(trained, tmp_path):
    task, images, _ = trained
    check_loads_elsewhere(task, list(images[:2]), tmp_path, atol=1e-4)
