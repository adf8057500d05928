"""TinySSD as a task: the book's numbers, training, detecting."""

import io

import keras
import numpy as np
import pytest
from cases import check_task, compiled, fit_one_epoch, small_ssd, squares
from keras import ops
from PIL import Image

import zoo


def iou(a, b):
    inter = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return inter / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inter)


def test_at_256_pixels_it_has_the_books_5444_anchors_and_outputs():
    task = zoo.create("tiny_ssd", num_classes=1)
    answer = compiled(lambda images: task(images, training=False))
    outputs = answer(np.zeros((2, 256, 256, 3), "uint8"))
    assert task.anchors.shape == (5444, 4)
    assert tuple(outputs["class_logits"].shape) == (2, 5444, 2)
    assert tuple(ops.reshape(outputs["box_deltas"], (2, -1)).shape) == (2, 21776)


def test_anchor_sizes_and_ratios_are_options():
    sizes = [[0.1], [0.2], [0.4], [0.6], [0.8]]
    task = small_ssd(sizes=sizes, ratios=[1.0, 2.0])
    # 64 pixels give 8x8, 4x4, 2x2, 1x1 and 1x1 cells; the first cell's square and wide anchors.
    assert task.anchors.shape == (2 * (64 + 16 + 4 + 1 + 1), 4)
    wide = np.array([-0.1, -0.05, 0.1, 0.05]) / np.sqrt(2)
    wanted = 1 / 16 + np.array([[-0.05, -0.05, 0.05, 0.05], wide])
    np.testing.assert_allclose(task.anchors[:2], wanted, atol=1e-6)


@pytest.mark.parametrize("loss", [zoo.losses.AnchorMeanLoss(), zoo.losses.MultiBoxLoss()])
def test_the_contract_of_a_task_holds(loss):
    task = small_ssd(class_names=["square", "disc"], loss=loss)
    images, _ = squares(4)
    # An object on an anchor of each level, or the predictors of some would have nothing to learn.
    # 64 pixels give 8x8, 4x4, 2x2, 1x1 and 1x1 cells of four anchors.
    boxes = np.tile(task.anchors[[100, 256 + 20, 320 + 4, 336, 340]], (4, 1, 1))
    check_task(task, images, {"boxes": boxes, "labels": np.tile([0, 1, 0, 1, 0], (4, 1))})


def test_answers_have_static_shapes():
    task = small_ssd(max_detections=5)
    outputs = compiled(lambda images: task(images, training=False))(squares(3)[0])
    shapes = {name: tuple(outputs[name].shape) for name in ("boxes", "scores", "labels", "num")}
    assert shapes == {"boxes": (3, 5, 4), "scores": (3, 5), "labels": (3, 5), "num": (3,)}


@pytest.fixture(scope="module")
def trained():
    """A task that knows four pictures by heart, with them and their labels."""
    keras.utils.set_random_seed(0)
    images, labels = squares(4, seed=1)
    task = small_ssd(class_names=["square"], loss=zoo.losses.MultiBoxLoss(3.0, 16))
    task.compile(optimizer=keras.optimizers.AdamW(0.01, weight_decay=1e-4))
    fit_one_epoch(task, images, labels, steps=60)
    return task, images, labels


def test_it_overfits_four_pictures(trained):
    task, images, labels = trained
    for found, boxes in zip(task.detect(list(images)), labels["boxes"], strict=True):
        assert len(found), "nothing found"
        assert found.labels[0] == 0
        assert found.scores[0] > 0.5
        assert iou(found.boxes[0] / 64, boxes[0]) > 0.5


def test_paths_bytes_and_arrays_give_the_same_detections(trained, tmp_path):
    task, images, _ = trained
    buffer = io.BytesIO()
    Image.fromarray(images[0]).save(buffer, "PNG")
    path = tmp_path / "picture.png"
    path.write_bytes(buffer.getvalue())
    from_array, from_bytes, from_path, from_name = task.detect(
        [images[0], buffer.getvalue(), path, str(path)]
    )
    for found in (from_bytes, from_path, from_name):
        np.testing.assert_array_equal(found.boxes, from_array.boxes)
        np.testing.assert_array_equal(found.scores, from_array.scores)


def test_boxes_are_in_the_pixels_of_a_picture_of_any_size(trained):
    task, images, labels = trained
    large = np.asarray(Image.fromarray(images[1]).resize((200, 120), Image.Resampling.NEAREST))
    (found,) = task.detect(large)
    assert iou(found.boxes[0] / [200, 120, 200, 120], labels["boxes"][1, 0]) > 0.5


def test_detections_do_not_depend_on_the_batch(trained):
    task, images, _ = trained
    together = task.detect(list(images), batch_size=4)
    for row, image in enumerate(images):
        (alone,) = task.detect(image, batch_size=3)
        np.testing.assert_array_equal(alone.labels, together[row].labels)
        # Kernels of another batch size may sum in another order.
        np.testing.assert_allclose(alone.scores, together[row].scores, atol=1e-5)
        np.testing.assert_allclose(alone.boxes, together[row].boxes, atol=1e-2)


def test_detections_carry_the_class_names_and_no_pictures_give_no_results(trained):
    task, images, _ = trained
    assert task.detect(images[0])[0].class_names == ("square",)
    assert task.detect([]) == []


def test_a_picture_that_cannot_be_read_is_a_value_error(trained):
    with pytest.raises(ValueError, match="nowhere"):
        trained[0].detect("nowhere.png")


def test_pictures_without_objects_have_a_finite_loss(trained):
    task, images, labels = trained
    nothing = labels | {"labels": np.full_like(labels["labels"], -1)}
    losses = task.evaluate(images, nothing, verbose=0, return_dict=True)
    assert np.isfinite(list(losses.values())).all()
    assert losses["box_loss"] == 0


def test_letterbox_and_resize_are_both_served():
    task = small_ssd(resize="letterbox")
    assert task.image_converter.mode == "letterbox"
    task.detect(np.zeros((30, 90, 3), "uint8"))


def test_losses_of_a_pass_are_means_over_pictures_whatever_the_batches():
    images, labels = squares(5)
    task = small_ssd()
    task.compile(optimizer="sgd")
    whole = task.evaluate(images, labels, batch_size=5, verbose=0, return_dict=True)
    parts = task.evaluate(images, labels, batch_size=4, verbose=0, return_dict=True)
    assert whole["loss"] == pytest.approx(whole["class_loss"] + whole["box_loss"], rel=1e-5)
    for name in whole:
        assert parts[name] == pytest.approx(whole[name], rel=1e-4), name


def test_the_trivial_figures_are_those_of_a_detector_that_answers_nothing():
    images, labels = squares(4)
    task = small_ssd()
    for predictor in task.head.class_predictors:
        bias = np.tile(np.array([50.0, -50.0]), 4)
        predictor.set_weights([np.zeros(predictor.kernel.shape), bias])
    for predictor in task.head.box_predictors:
        predictor.set_weights([np.zeros(weight.shape) for weight in predictor.weights])
    task.compile(optimizer="sgd")
    figures = task.evaluate(images, labels, verbose=0, return_dict=True)
    assert figures["class_error"] == pytest.approx(figures["trivial_class_error"], rel=1e-5)
    assert figures["box_mae"] == pytest.approx(figures["trivial_box_mae"], rel=1e-5)
    assert figures["trivial_class_error"] > 0


def test_an_input_too_small_for_six_halvings_is_refused():
    with pytest.raises(ValueError, match=r"at least 64x64 pixels.*got 48x48"):
        zoo.create("tiny_ssd", num_classes=1, image_size=48)


def test_an_unknown_preset_names_a_near_one():
    with pytest.raises(ValueError, match="Did you mean 'tiny_ssd'"):
        zoo.create("tinyssd", num_classes=1)


@pytest.mark.parametrize("num_classes", [0, None, 1.5])
def test_a_wrong_number_of_classes_is_refused(num_classes):
    with pytest.raises(ValueError, match="at least 1"):
        zoo.create("tiny_ssd", num_classes=num_classes)


def test_names_and_number_of_classes_must_agree():
    with pytest.raises(ValueError, match="Background is not a class"):
        zoo.create("tiny_ssd", num_classes=2, class_names=["banana"])


def test_every_preset_is_listed():
    assert "tiny_ssd" in zoo.list_presets()
