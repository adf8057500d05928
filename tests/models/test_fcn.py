"""Fully convolutional networks: the book's, Long's and torchvision's, and pictures of any size."""

import keras
import numpy as np
import pytest
from cases import (
    SLOW_ON_JAX,
    check_segments_elsewhere,
    check_task,
    small_fcn,
    square_classes,
    squares,
)
from keras import ops

import zoo


def scene(count=4, seed=0):
    images, labels = squares(count, seed=seed)
    return images, {"segmentation": square_classes(labels)}


@pytest.fixture(scope="module")
def learnt():
    """An FCN that knows the squares of four pictures by heart."""
    keras.utils.set_random_seed(0)
    task = small_fcn()
    task.compile(optimizer=keras.optimizers.Adam(3e-3))
    images, labels = scene()
    labels["segmentation"][:, :2] = 255
    history = task.fit(images, labels, batch_size=4, epochs=30, verbose=0).history
    return task, images, history


@SLOW_ON_JAX
def test_it_learns_four_pictures_by_heart(learnt):
    task, images, history = learnt
    assert history["loss"][-1] < 0.1 < history["loss"][0]
    assert history["miou"][-1] > 0.9
    assert history["pixel_accuracy"][-1] > 0.95
    classes = np.stack([found.classes for found in task.segment(list(images))])
    truth = scene()[1]["segmentation"]
    assert (classes == truth).mean() > 0.95


@pytest.mark.parametrize("auxiliary", [pytest.param(False, marks=SLOW_ON_JAX), True])
def test_the_contract_of_a_task_holds(auxiliary):
    images, labels = scene()
    task = small_fcn()
    if auxiliary:
        backbone = zoo.backbones.ResNet(18, levels=("c2", "c3"))
        task = zoo.create(
            "fcn_resnet50", num_classes=2, image_size=64, backbone=backbone, auxiliary=True
        )
    check_task(task, images, labels)


@pytest.mark.slow
def test_a_published_file_gives_the_same_class_map_on_every_backend(learnt, tmp_path):
    task, images, _ = learnt
    check_segments_elsewhere(task, [images[0], images[1][:37, :51]], tmp_path, atol=1e-4)


@SLOW_ON_JAX
def test_pictures_of_any_size_and_kind_keep_their_size(learnt):
    task, images, _ = learnt
    grey, four = images[0, :, :, 0], np.dstack([images[0], np.full((64, 64), 255, "uint8")])
    pictures = [images[0, :33, :51], images[0, :1, :1], grey, four, images[0]]
    found = task.segment(pictures, batch_size=2)
    assert [one.classes.shape for one in found] == [(33, 51), (1, 1), *[(64, 64)] * 3]
    assert all(one.class_names == ("ground", "square") for one in found)
    np.testing.assert_array_equal(found[3].classes, found[4].classes)


@SLOW_ON_JAX
def test_a_picture_gets_the_same_classes_alone_and_among_others(learnt):
    task, images, _ = learnt
    (alone,) = task.segment(images[1])
    among = task.segment([images[0], images[1], images[2]], batch_size=4)[1]
    np.testing.assert_array_equal(alone.classes, among.classes)
    np.testing.assert_allclose(alone.scores, among.scores, atol=1e-5)


@SLOW_ON_JAX
def test_scores_are_probabilities_of_the_classes(learnt):
    task, images, _ = learnt
    outputs = task.predict_on_batch(images)
    odds = np.exp(outputs["logits"] - outputs["logits"].max(-1, keepdims=True))
    expected = (odds / odds.sum(-1, keepdims=True)).max(-1)
    np.testing.assert_allclose(outputs["scores"], expected, atol=1e-6)
    np.testing.assert_array_equal(outputs["classes"], outputs["logits"].argmax(-1))


@SLOW_ON_JAX
def test_tiles_of_a_large_picture_are_blended_into_what_it_shows(learnt):
    task, images, _ = learnt
    wide = np.concatenate([np.concatenate(images[:2], 1), np.concatenate(images[2:], 1)])
    (whole,) = task.segment(wide)
    config = task.image_converter.get_config() | {"tile_side": 64, "overlap": 32}
    task.image_converter, kept = zoo.layers.PaddingConverter(**config), task.image_converter
    (tiled,) = task.segment(wide, batch_size=4)
    task.image_converter = kept
    assert tiled.classes.shape == (128, 128)
    # Tiles see less around their borders, so not every pixel agrees.
    assert (tiled.classes == whole.classes).mean() > 0.97
    assert ((tiled.scores > 0.5) & (tiled.scores <= 1)).all()


@SLOW_ON_JAX
@pytest.mark.parametrize("side", [(64, 64), (37, 51)])
def test_training_pictures_may_have_any_sides(learnt, side):
    task, images, _ = learnt
    height, width = side
    outputs = task(images[:1, :height, :width], training=False)
    assert outputs["logits"].shape == (1, height, width, 2)
    assert outputs["classes"].shape == (1, height, width)


@SLOW_ON_JAX
def test_torchvisions_head_takes_pictures_of_any_size():
    backbone = zoo.backbones.ResNet(18, levels=("c2", "c3"))
    task = zoo.create("fcn_resnet50", num_classes=3, image_size=64, backbone=backbone)
    sizes = [(20, 64), (64, 40), (33, 33)]  # from the second on TensorFlow traces without sizes
    found = task.segment([np.zeros((*size, 3), "uint8") for size in sizes], batch_size=1)
    assert [one.classes.shape for one in found] == sizes


def test_pictures_without_a_class_give_a_finite_loss():
    task = small_fcn()
    task.compile(optimizer="sgd")
    images, labels = scene(2)
    labels["segmentation"][:] = 255
    logged = task.train_on_batch(images, labels, return_dict=True)
    assert all(np.isfinite(value) for value in logged.values())
    assert logged["loss"] == 0


@SLOW_ON_JAX
def test_the_metrics_leave_ignored_pixels_out(learnt):
    task, images, _ = learnt
    labels = {"segmentation": task.predict_on_batch(images)["classes"].copy()}
    labels["segmentation"][:, 10:20] = 255
    assert task.evaluate(images, labels, verbose=0, return_dict=True)["miou"] == 1.0


def test_the_books_network_has_its_1x1_convolution_and_its_transposed_one():
    task = zoo.create("fcn_resnet18", num_classes=21)
    assert [tuple(weight.shape) for weight in task.head.weights] == [
        (1, 1, 512, 21), (21,), (64, 64, 21, 21), (21,),
    ]  # fmt: skip
    enlarge = task.head.enlarger
    assert (enlarge.kernel_size, enlarge.strides, enlarge.padding) == (64, 32, 16)
    kernel = ops.convert_to_numpy(enlarge.kernel)
    np.testing.assert_allclose(kernel, zoo.ops.bilinear_kernel(64, 21, 21), atol=1e-7)
    assert task.backbone.compute_output_shape((None, 320, 480, 3))[-1] == (None, 10, 15, 512)
    # Xavier: uniform up to the root of 6 / (512 + 21).
    assert np.abs(ops.convert_to_numpy(task.head.scorers[0].kernel)).max() <= (6 / 533) ** 0.5


@pytest.mark.parametrize(
    ("preset", "levels"), [("fcn32s", "p5"), ("fcn16s", "p4 p5"), ("fcn8s", "p3 p4 p5")]
)
def test_longs_networks_score_pools_of_vgg(preset, levels):
    task = zoo.create(preset, num_classes=3, hidden_channels=8)
    assert list(task.backbone.levels) == levels.split()
    assert task.head.enlarger.strides == int(preset.removeprefix("fcn").removesuffix("s"))
    finer = [scorer.kernel for scorer in task.head.scorers[:-1]]
    assert all(not ops.convert_to_numpy(kernel).any() for kernel in finer)


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="a colour for each of 2 classes; got 1"):
        small_fcn(palette=[(0, 0, 0)])


@SLOW_ON_JAX
def test_the_palette_travels_with_the_model(learnt):
    task, images, _ = learnt
    config = task.get_config() | {"palette": [[0, 0, 0], [9, 8, 7]]}
    (found,) = type(task).from_config(config).segment(images[0])
    assert found.palette == ((0, 0, 0), (9, 8, 7))
