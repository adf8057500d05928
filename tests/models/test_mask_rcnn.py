"""Mask R-CNN as a task: it learns masks, and pastes them into pictures of any size."""

import keras
import numpy as np
import pytest
from cases import (
    QUICK_ON_TORCH,
    SLOW_ON_JAX,
    check_loads_elsewhere,
    check_task,
    fit_one_epoch,
    small_mask_rcnn,
    square_masks,
    squares,
)

import zoo


def masked_squares(count, seed=1):
    images, labels = squares(count, seed=seed)
    return images, labels | {"masks": square_masks(labels)}


def mask_iou(a, b):
    return (a & b).sum() / (a | b).sum()


@SLOW_ON_JAX
def test_as_it_stands_it_is_torchvisions():
    task = zoo.create("mask_rcnn", num_classes=90)
    # maskrcnn_resnet50_fpn(num_classes=91): 44,401,393 weights; less those of a background box and
    # a background mask, with the batch norms' averages and affine of the backbone beside.
    assert task.count_params() == 44_401_393 - 4 * 1025 - 257 + 2 * 2 * 26_560
    assert task.mask_crop.output_size == (14, 14)


@SLOW_ON_JAX
def test_the_contract_of_a_task_holds():
    task = small_mask_rcnn(class_names=["square", "disc"], roi_positive_fraction=1.0)
    images, labels = masked_squares(4)
    labels["boxes"][:, 1] = [0.1, 0.5, 0.4, 0.9]
    labels["labels"][:, 1] = 1
    labels["masks"] = square_masks(labels)
    check_task(task, images, labels)


@pytest.fixture(scope="module")
def trained():
    """A task that knows four pictures by heart, with them and their labels."""
    keras.utils.set_random_seed(0)
    images, labels = masked_squares(4)
    task = small_mask_rcnn()
    task.compile(optimizer=keras.optimizers.AdamW(2e-3))
    fit_one_epoch(task, images, labels, steps=80)
    return task, images, labels


@SLOW_ON_JAX  # Fast R-CNN's stands for it
def test_it_overfits_four_pictures(trained):
    task, images, labels = trained
    for found, masks in zip(task.detect(list(images)), labels["masks"], strict=True):
        assert found.masks.shape == (len(found), 64, 64)
        assert found.scores[0] > 0.5
        assert mask_iou(found.masks[0], masks[0]) > 0.6


def test_a_mask_keeps_its_place_where_its_box_reaches_into_the_letterboxs_bars():
    task = small_mask_rcnn()
    # 100x200 pixels stand 32 rows high in the middle of 64x64. The first box is a square of 100
    # pixels; the second begins 50 pixels above the picture, and only its lower half is the object.
    masks = np.ones((2, 28, 28), "float32")
    masks[1, :14] = 0
    outputs = {
        "boxes": np.array([[0.25, 0.25, 0.75, 0.75], [0.25, 0, 0.75, 0.5]], "float32"),
        "scores": np.array([0.9, 0.8], "float32"),
        "labels": np.array([0, 0], "int32"),
        "num": np.array(2, "int32"),
        "masks": masks,
    }
    found = task._detections(outputs, task.image_converter.frame(100, 200))
    np.testing.assert_allclose(found.boxes, [[50, 0, 150, 100], [50, 0, 150, 50]], atol=1e-3)
    # Half a cell of 28 on 100 pixels: two pixels at the borders.
    np.testing.assert_allclose(rectangle(found.masks[0]), [50, 0, 150, 100], atol=2)
    np.testing.assert_allclose(rectangle(found.masks[1]), [50, 0, 150, 50], atol=2)


def rectangle(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@SLOW_ON_JAX
def test_its_masks_have_coco_figures_beside_its_boxes(trained):
    task, images, labels = trained
    truths = [
        zoo.Detections.ground_truth(boxes[:1] * 64, [0], ("square",), masks=masks[:1])
        for boxes, masks in zip(labels["boxes"], labels["masks"], strict=True)
    ]
    found = task.detect(list(images))
    figures = zoo.metrics.metrics_of_kinds(truths, found, task.result_kinds)
    assert figures["mask_ap50"] > 0.9
    masks = zoo.metrics.detection_metrics(truths, found, kind="masks")
    assert {f"mask_{name}" for name in masks} < set(figures)
    assert figures["mask_ap75"] == masks["ap75"]


@QUICK_ON_TORCH
def test_every_backend_opens_it_with_the_same_detections(trained, tmp_path):
    task, images, _ = trained
    check_loads_elsewhere(task, list(images), tmp_path, atol=1e-4)


@SLOW_ON_JAX
def test_pictures_without_objects_give_finite_losses(trained):
    task, images, labels = trained
    nothing = labels | {"labels": np.full_like(labels["labels"], -1)}
    losses = task.evaluate(images, nothing, batch_size=4, verbose=0, return_dict=True)
    assert np.isfinite(list(losses.values())).all()
    assert losses["mask_loss"] == 0


@SLOW_ON_JAX
def test_an_object_without_a_mask_teaches_none(trained):
    task, images, labels = trained
    undrawn = labels | {"masks": np.zeros_like(labels["masks"])}
    losses = task.evaluate(images, undrawn, batch_size=4, verbose=0, return_dict=True)
    assert losses["mask_loss"] == 0
    assert losses["box_loss"] > 0


def test_labels_without_masks_are_refused():
    task, (_, labels) = small_mask_rcnn(), masked_squares(4)
    plain = {name: labels[name] for name in ("boxes", "labels")}
    with pytest.raises(ValueError, match="Was the pipeline built with masks=True"):
        task.compute_loss(y=plain, y_pred={})


@SLOW_ON_JAX
def test_no_objects_give_no_masks():
    task = small_mask_rcnn(score_threshold=0.999)
    (found,) = task.detect(np.zeros((30, 40, 3), "uint8"))
    assert found.masks.shape == (0, 30, 40)
