"""A classifier: its loss and metrics, its training, its answers."""

import keras
import numpy as np
import pytest
from cases import (
    QUICK_ON_TORCH,
    check_classifies_elsewhere,
    check_layer,
    check_task,
    colours,
    small_classifier,
)

import zoo
from zoo.layers import ClassHead, CropConverter
from zoo.weights.classifier_tables import classifier_head_table


def test_the_contract_of_a_task_holds():
    images, labels = colours(4)
    check_task(small_classifier(dropout=0.2), images, {"labels": labels})


def test_the_head_is_a_mean_and_a_dense_layer():
    features = np.random.default_rng(0).normal(size=(2, 3, 3, 8)).astype("float32")
    check_layer(ClassHead(5), features, shapes=(2, 5), trainable=2)
    head = ClassHead(5)
    head.build(features.shape)
    kernel, _ = head.get_weights()
    got = keras.ops.convert_to_numpy(head(features))
    np.testing.assert_allclose(got, features.mean((1, 2)) @ kernel, atol=1e-5)


def test_a_head_of_hidden_layers_flattens_the_cells_row_by_row():
    features = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype("float32")
    options = {"pooling": "flatten", "hidden_units": (6,), "dropout": 0.5}
    check_layer(ClassHead(5, **options), features, shapes=(2, 5), trainable=4)
    head = ClassHead(5, **options)
    head.build(features.shape)
    first, first_bias, last, last_bias = head.get_weights()
    hidden = np.maximum(features.reshape(2, -1) @ first + first_bias, 0)
    got = keras.ops.convert_to_numpy(head(features))
    np.testing.assert_allclose(got, hidden @ last + last_bias, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_cross_entropy_on_smoothed_labels(smoothing):
    task = small_classifier(label_smoothing=smoothing)
    logits = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], "float32")
    outputs = {"logits": keras.ops.convert_to_tensor(logits)}
    labels = np.array([0, 1], "int32")
    got = task.compute_loss(y={"labels": labels}, y_pred=outputs)
    shares = np.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert float(got) == pytest.approx(-(shares * log_probabilities).sum(1).mean(), rel=1e-5)


def test_a_mixed_picture_counts_for_the_classes_it_shows():
    task = small_classifier()
    outputs = {"logits": keras.ops.convert_to_tensor([[2.0, 0.0, -1.0]])}
    alone = [
        float(task.compute_loss(y={"labels": np.array([label])}, y_pred=outputs))
        for label in (0, 2)
    ]
    mixed = np.array([[0.3, 0.0, 0.7]], "float32")
    got = float(task.compute_loss(y={"labels": mixed}, y_pred=outputs))
    assert got == pytest.approx(0.3 * alone[0] + 0.7 * alone[1], rel=1e-5)


def test_labels_of_another_width_are_refused():
    outputs = {"logits": keras.ops.zeros((2, 3))}
    with pytest.raises(ValueError, match=r"or \(B, 3\) float; got \(2, 4\)"):
        small_classifier().compute_loss(y={"labels": np.zeros((2, 4))}, y_pred=outputs)


def test_training_reports_both_accuracies():
    task = small_classifier(class_names=list("abcdefg"))
    logits = np.zeros((4, 7), "float32")
    logits[:, :6] = [6, 5, 4, 3, 2, 1]
    labels = np.array([0, 0, 4, 6])
    task.compute_loss(y={"labels": labels}, y_pred={"logits": keras.ops.convert_to_tensor(logits)})
    # Two are first, one more is among the first five, one is last.
    got = {metric.name: float(metric.result()) for metric in task.metrics if "top" in metric.name}
    assert got == {"top1": 0.5, "top5": 0.75}


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    images, labels = colours(6, seed=1)
    task = small_classifier()
    task.compile(optimizer=keras.optimizers.Adam(2e-3))
    for _ in range(25):
        task.train_on_batch(images, {"labels": labels})
    return task, images, labels


def test_it_learns_three_colours(trained):
    task, images, labels = trained
    assert [found.label for found in task.classify(list(images))] == labels.tolist()
    others, wanted = colours(6, seed=2)
    found = task.classify(list(others), batch_size=4)
    assert [one.top(1)[0][0] for one in found] == [task.class_names[label] for label in wanted]


def test_a_picture_is_classified_by_its_middle(trained):
    task, images, _ = trained
    wide = np.zeros((32, 90, 3), "uint8")
    wide[:, 29:61] = images[0]
    (found,) = task.classify(wide)
    (alone,) = task.classify(images[0])
    np.testing.assert_allclose(found.probabilities, alone.probabilities, atol=1e-5)


@QUICK_ON_TORCH
def test_its_file_means_the_same_on_every_backend(trained, tmp_path):
    task, images, _ = trained
    check_classifies_elsewhere(task, list(images[:3]), tmp_path, atol=1e-5)


def test_a_backbone_that_knows_no_pictures_takes_them_in_0_to_1():
    task = zoo.create("classifier", num_classes=4, backbone="tiny_cnn", image_size=64)
    assert (task.normalize.mean, task.normalize.std) == (0.0, 1.0)
    spec = task.compute_output_spec(keras.KerasTensor((2, 64, 64, 3)), training=False)
    assert tuple(spec["probabilities"].shape) == (2, 4)


def test_pictures_are_fitted_as_asked():
    assert isinstance(small_classifier().image_converter, CropConverter)
    assert small_classifier(resize="letterbox").image_converter.mode == "letterbox"


def test_options_that_exclude_each_other_are_refused():
    with pytest.raises(ValueError, match="resize must be one of crop, resize, letterbox"):
        small_classifier(resize="stretch")
    with pytest.raises(ValueError, match="give the backbone by name"):
        small_classifier(weights="imagenet")
    with pytest.raises(ValueError, match="label_smoothing must lie in"):
        small_classifier(label_smoothing=1.0)


def test_the_statistics_of_frozen_stages_stay_in_fit():
    task = small_classifier(freeze=1)
    images, labels = colours(6)
    task.compile(optimizer=keras.optimizers.SGD(0.1))
    blocks = zip(task.backbone.blocks, task.backbone.block_levels, strict=True)
    held = {w.path for block, level in blocks if level in ("c1", "c2") for w in block.weights}
    before = task.get_weights()
    task.fit(images, {"labels": labels}, epochs=2, batch_size=3, verbose=0)
    for weight, old, new in zip(task.weights, before, task.get_weights(), strict=True):
        moved = np.abs(new - old).max() > 0
        assert moved == (weight.path not in held), weight.path


def test_frozen_norms_keep_statistics_while_kernels_train():
    task = small_classifier(frozen_norm=True)
    images, labels = colours(6)
    task.compile(optimizer=keras.optimizers.SGD(0.1))
    before = task.get_weights()
    task.fit(images, {"labels": labels}, epochs=1, batch_size=3, verbose=0)
    for weight, old, new in zip(task.weights, before, task.get_weights(), strict=True):
        assert (np.abs(new - old).max() > 0) == ("/norm/" not in weight.path), weight.path


def test_torchvisions_vgg_head_sees_channels_first():
    """Its first layer looks at flattened (channels, h, w); ours at (h, w, channels)."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 7, 7, 3)).astype("float32")
    kernel = rng.normal(size=(4, 3 * 7 * 7)).astype("float32")
    path, to_ours = classifier_head_table("torchvision:vgg16")["classifier.0.weight"]
    assert path == "hidden_0/kernel"
    wanted = features.transpose(0, 3, 1, 2).reshape(2, -1) @ kernel.T
    np.testing.assert_allclose(features.reshape(2, -1) @ to_ours(kernel), wanted, rtol=1e-4)
