"""Faster R-CNN as a task: training by plain fit, proposing, detecting."""

import json

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
    small_faster_rcnn,
    squares,
)

import zoo


def iou(a, b):
    inter = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return inter / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inter)


@SLOW_ON_JAX
def test_as_it_stands_it_is_torchvisions():
    task = zoo.create("faster_rcnn", num_classes=90)
    # fasterrcnn_resnet50_fpn(num_classes=91): 41,755,286 weights, less a frozen batch norm's zero
    # and the 4 * 1,025 of a background box that is never used; batch norms' 53,120 averages beside.
    assert task.count_params() == 41_755_286 - 4 * 1025 + 2 * 2 * 26_560
    assert task.proposal_decoder.proposals == 1000
    assert task.anchors.shape == (3 * (200**2 + 100**2 + 50**2 + 25**2 + 13**2), 4)
    assert task.roi_levels == 4


@SLOW_ON_JAX  # Mask R-CNN's stands for it
def test_the_contract_of_a_task_holds():
    task = small_faster_rcnn(class_names=["square", "disc"], roi_positive_fraction=1.0)
    images, labels = squares(4)
    labels["boxes"][:, 1] = [0.1, 0.5, 0.4, 0.9]
    labels["labels"][:, 1] = 1
    check_task(task, images, labels)


@SLOW_ON_JAX
def test_shapes_are_static():
    task = small_faster_rcnn(max_detections=5)
    images = squares(3)[0]
    answer = compiled(lambda images: task(images, training=False))(images)
    anchors = 3 * (16**2 + 8**2 + 4**2)
    assert tuple(answer["rpn"]["objectness"].shape) == (3, anchors)
    assert tuple(answer["rpn"]["deltas"].shape) == (3, anchors, 4)
    assert [tuple(level.shape) for level in answer["features"]] == [
        (3, 16, 16, 32),
        (3, 8, 8, 32),
        (3, 4, 4, 32),
    ]
    shapes = {name: tuple(answer[name].shape) for name in ("proposals", *task.result_keys)}
    assert shapes == {
        "proposals": (3, 40, 4),
        "boxes": (3, 5, 4),
        "scores": (3, 5),
        "labels": (3, 5),
        "num": (3,),
    }


@pytest.fixture(scope="module")
def trained():
    """A task that knows four pictures by heart, with them and their labels."""
    keras.utils.set_random_seed(0)
    images, labels = squares(4, seed=1)
    task = small_faster_rcnn()
    task.compile(optimizer=keras.optimizers.AdamW(2e-3))
    fit_one_epoch(task, images, labels, steps=70)
    return task, images, labels


@QUICK_ON_TORCH  # Mask R-CNN, which is all of this and a branch more, stands for it
def test_it_overfits_four_pictures(trained):
    task, images, labels = trained
    for found, boxes in zip(task.detect(list(images)), labels["boxes"], strict=True):
        assert len(found), "nothing found"
        assert found.scores[0] > 0.5
        assert iou(found.boxes[0] / 64, boxes[0]) > 0.5


@QUICK_ON_TORCH  # Mask R-CNN, which is all of this and a branch more, stands for it
def test_every_backend_opens_it_with_the_same_detections(trained, tmp_path):
    task, images, _ = trained
    # float32 sums of three libraries; proposals magnify a box's last digits, scores are 0..1.
    check_loads_elsewhere(task, list(images), tmp_path, atol=1e-4)


@QUICK_ON_TORCH  # Mask R-CNN, which is all of this and a branch more, stands for it
def test_the_file_keeps_the_configuration(trained, tmp_path):
    task, _, _ = trained
    task.publish(tmp_path / "model.keras")
    loaded = zoo.load(tmp_path / "model.keras")
    assert json.dumps(loaded.get_config()) == json.dumps(task.get_config())


@pytest.fixture(scope="module")
def fresh():
    """A compiled task, one for all tests that only look at its losses."""
    task = small_faster_rcnn(frozen_norm=True)
    task.compile(optimizer=keras.optimizers.SGD(0.01))
    return task


@QUICK_ON_TORCH  # Mask R-CNN's stands for it
def test_pictures_without_objects_give_finite_losses_and_teach_background(fresh):
    images, labels = squares(4)
    labels["labels"][:] = -1
    task = fresh
    task.reset_metrics()
    losses = task.train_on_batch(images, labels, return_dict=True)
    assert np.isfinite(list(losses.values())).all()
    assert losses["box_loss"] == losses["rpn_box_loss"] == 0
    assert losses["class_loss"] > 0
    assert losses["rpn_class_loss"] > 0
    assert all(np.isfinite(weight).all() for weight in task.get_weights())


def test_each_loss_is_a_metric_and_their_sum_is_the_loss(fresh):
    images, labels = squares(4)
    task = fresh
    figures = task.evaluate(images, labels, batch_size=4, verbose=0, return_dict=True)
    parts = ("rpn_class_loss", "rpn_box_loss", "class_loss", "box_loss")
    assert set(figures) == {"loss", *parts}
    assert figures["loss"] == pytest.approx(sum(figures[name] for name in parts), rel=1e-5)


def test_evaluating_draws_the_same_sample_and_leaves_trainings_alone(fresh):
    images, labels = squares(4)
    task = fresh
    before = keras.ops.convert_to_numpy(task.sampling_seed.state)
    first, second = (task.evaluate(images, labels, batch_size=4, verbose=0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(task.sampling_seed.state), before)
    task.train_on_batch(images, labels)
    assert (keras.ops.convert_to_numpy(task.sampling_seed.state) != before).any()


def test_the_second_stage_teaches_the_backbone():
    images, labels = squares(2)
    task = small_faster_rcnn(frozen_norm=True)
    task.rpn_loss = lambda *_: {"rpn_class_loss": 0.0, "rpn_box_loss": 0.0}
    task.compile(optimizer=keras.optimizers.SGD(0.1))
    before = [np.array(weight) for weight in task.backbone.trainable_weights]
    task.train_on_batch(images, labels)
    after = [keras.ops.convert_to_numpy(weight) for weight in task.backbone.trainable_weights]
    moved = [np.abs(a - b).max() for a, b in zip(after, before, strict=True)]
    assert max(moved[:3]) > 0, "no gradient reaches the stem"


@SLOW_ON_JAX
def test_it_works_on_one_level_without_a_pyramid():
    task = small_faster_rcnn(levels=["c3"], fpn=None, anchor_sizes=None, frozen_norm=True)
    assert task.region_anchors.sizes == [[128.0, 256.0, 512.0]]
    images, labels = squares(2)
    task.compile(optimizer="sgd")
    assert np.isfinite(task.train_on_batch(images, labels, return_dict=True)["loss"])


@SLOW_ON_JAX
def test_mixed_precision_keeps_the_geometry_in_float32():
    task = small_faster_rcnn(dtype="mixed_bfloat16")
    images, labels = squares(2)
    answer = compiled(lambda images: task(images, training=False))(images)
    kinds = {keras.backend.standardize_dtype(answer[name].dtype) for name in ("proposals", "boxes")}
    assert kinds == {"float32"}
    assert keras.backend.standardize_dtype(answer["features"][0].dtype) == "bfloat16"
    task.compile(optimizer="sgd")
    assert np.isfinite(task.train_on_batch(images, labels, return_dict=True)["loss"])
