"""R-CNN: warped pixels of regions through the backbone, and machines on their features."""

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
    small_rcnn,
    squares,
    with_proposals,
)

import zoo
from zoo.training import FitRegionSVMs


def read(task, images, rois):
    answer = compiled(lambda images, rois: task.region_features(images, rois))(images, rois)
    return keras.ops.convert_to_numpy(answer)


def test_the_contract_of_a_task_holds():
    task = small_rcnn(class_names=["square", "disc"])
    images, labels = squares(4)
    labels["labels"][1:, 1] = 1
    labels["boxes"][1:, 1] = [0.5, 0.5, 0.8, 0.9]
    later = [task.svm, task.regressor]
    check_task(task, with_proposals(task, images), labels, learning_rate=0.01, fitted_later=later)


def test_pictures_without_objects_or_proposals_have_a_finite_loss():
    task = small_rcnn()
    images, labels = squares(2)
    labels["labels"][:] = -1
    task.compile(optimizer=keras.optimizers.SGD(0.01))
    batch = with_proposals(task, images)
    assert np.isfinite(task.train_on_batch(batch, labels))
    batch["proposals"][:] = 0
    assert task.train_on_batch(batch, labels) == 0


@SLOW_ON_JAX
def test_padding_is_never_an_answer():
    task = small_rcnn(score_threshold=0.0)
    batch = {"images": squares(1)[0], "proposals": np.zeros((1, 24, 4), "float32")}
    assert task.predict_on_batch(batch)["num"][0] == 0


def test_features_are_those_of_a_crop_with_its_context():
    task = small_rcnn()
    images, _ = squares(2)
    # Of 32x32 crops of a 64x64 picture, one covers 40x40 pixels: each sample is a plain bilinear
    # mean, at (i + .5) * 40 / 32 pixels from its edge.
    side = 40 / 64 / (1 + 2 * task.context)
    left, top = 0.2, 0.25
    rois = np.array([[[left, top, left + side, top + side]]] * 2, "float32")
    rows, columns = (
        64 * (edge - task.context * side) + (np.arange(32) + 0.5) * 40 / 32 - 0.5
        for edge in (top, left)
    )
    normal = task.normalize
    pictures = (images / 255 - np.asarray(normal.mean)) / np.asarray(normal.std)
    crops = bilinear(bilinear(pictures, rows, 1), columns, 2)
    maps = compiled(lambda crops: task.backbone(crops)[-1])(crops.astype("float32"))
    wanted = keras.ops.convert_to_numpy(maps).mean((1, 2))
    np.testing.assert_allclose(read(task, images, rois)[:, 0], wanted, atol=1e-4)


def bilinear(values, places, axis):
    low = np.floor(places).astype(int)
    shape = [-1 if at == axis else 1 for at in range(values.ndim)]
    high = np.take(values, low + 1, axis) * (places - low).reshape(shape)
    return np.take(values, low, axis) * (1 - places + low).reshape(shape) + high


def test_features_of_a_region_do_not_depend_on_what_is_read_with_it():
    task = small_rcnn()  # reads ten at a time
    images, _ = squares(2)
    rois = np.stack([task.proposer(image)[:13] for image in images])
    together = read(task, images, rois)
    alone = np.concatenate([read(task, images, rois[:, n : n + 1]) for n in (0, 9, 10, 12)], 1)
    np.testing.assert_allclose(together[:, [0, 9, 10, 12]], alone, atol=1e-5)


def test_what_lies_outside_the_picture_is_the_mean():
    task = small_rcnn(backbone=zoo.backbones.ResNet(18, levels=("c1",)))
    images, _ = squares(1)
    outside = np.array([[[2.0, 2.0, 3.0, 3.0]]], "float32")
    maps = compiled(lambda crops: task.backbone(crops)[-1])(np.zeros((1, 32, 32, 3), "float32"))
    wanted = keras.ops.convert_to_numpy(maps).mean((1, 2))
    np.testing.assert_allclose(read(task, images, outside)[:, 0], wanted, atol=1e-5)


def test_proposals_keep_their_bits_under_bfloat16():
    task = small_rcnn(dtype="mixed_bfloat16")
    batch = with_proposals(task, squares(1)[0])
    got = keras.ops.convert_to_numpy(task(batch, training=True)["proposals"])
    np.testing.assert_array_equal(got, batch["proposals"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    keras.utils.set_random_seed(0)
    images, labels = squares(4, seed=1)
    task = small_rcnn()
    task.compile(optimizer=keras.optimizers.Adam(1e-3))
    batch = with_proposals(task, images)
    one_by_one = [
        ({name: values[n : n + 1] for name, values in batch.items()},
         {name: values[n : n + 1] for name, values in labels.items()})
        for n in range(4)
    ]  # fmt: skip
    cache = tmp_path_factory.mktemp("cache")
    fitting = FitRegionSVMs(one_by_one, "four squares", epochs=1, data_dir=cache)
    fit_one_epoch(task, batch, labels, steps=25)
    before = task.detect(list(images))
    task.fit(batch, labels, batch_size=4, epochs=1, verbose=0, callbacks=[fitting])
    return task, images, labels, before


def overlap(found, boxes):
    iou = zoo.ops.pairwise_iou(found.boxes[:1] / 64, boxes[:1])
    return float(keras.ops.convert_to_numpy(iou)[0, 0])


@SLOW_ON_JAX
def test_before_the_machines_are_fitted_the_softmax_answers(trained):
    _, _, labels, before = trained
    for found, boxes in zip(before, labels["boxes"], strict=True):
        assert found.scores[0] > 0.5
        assert overlap(found, boxes) > 0.5


@SLOW_ON_JAX
def test_it_overfits_four_pictures(trained):
    task, images, labels, before = trained
    assert np.abs(keras.ops.convert_to_numpy(task.svm.kernel)).max() > 0
    assert np.abs(keras.ops.convert_to_numpy(task.regressor.bias)).max() > 0
    for found, boxes, old in zip(task.detect(list(images)), labels["boxes"], before, strict=True):
        assert found.scores[0] != old.scores[0]
        assert overlap(found, boxes) > 0.5


@QUICK_ON_TORCH
def test_a_published_file_gives_the_same_detections_on_every_backend(trained, tmp_path):
    task, images, _, _ = trained
    check_loads_elsewhere(task, list(images[:2]), tmp_path, atol=1e-4)
