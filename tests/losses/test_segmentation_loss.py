"""The loss of a class a pixel, against NumPy; what is ignored never changes it."""

import keras
import numpy as np
import pytest
from compilation import gradient
from keras import ops

from zoo.losses import SegmentationLoss


def scene(batch=2, height=5, width=4, classes=3):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (batch, height, width, classes)).astype("float32")
    return rng.integers(0, classes, (batch, height, width)).astype("int32"), logits


def value(loss, targets, logits):
    return float(ops.convert_to_numpy(loss(ops.convert_to_tensor(targets), logits)))


def cross_entropy(targets, logits):
    """(B, H, W) of every pixel; ignored ones are of class 0 here."""
    best = np.where(targets == 255, 0, targets)[..., None]
    chosen = np.take_along_axis(logits, best, axis=-1)[..., 0]
    return np.log(np.exp(logits).sum(-1)) - chosen


def test_without_ignored_pixels_it_is_the_books_mean():
    targets, logits = scene()
    expected = cross_entropy(targets, logits).mean((1, 2)).mean()
    assert value(SegmentationLoss(), targets, logits) == pytest.approx(expected, rel=1e-5)


def test_it_is_the_mean_over_the_labelled_pixels_of_each_picture():
    targets, logits = scene()
    targets[0, :3] = 255
    each = cross_entropy(targets, logits)
    expected = (each[0, 3:].mean() + each[1].mean()) / 2
    assert value(SegmentationLoss(), targets, logits) == pytest.approx(expected, rel=1e-5)


def test_ignored_pixels_change_neither_loss_nor_gradient():
    targets, logits = scene()
    padded = np.pad(targets, [(0, 0), (0, 3), (0, 2)], constant_values=255)
    wild = np.pad(logits, [(0, 0), (0, 3), (0, 2), (0, 0)], constant_values=77.0)
    loss = SegmentationLoss()
    assert value(loss, padded, wild) == pytest.approx(value(loss, targets, logits), rel=1e-6)
    labels = ops.convert_to_tensor(padded)
    slope = gradient(lambda values: loss(labels, values), wild)
    assert not slope[padded == 255].any()
    assert np.abs(slope).max() > 0


def test_pictures_without_any_class_give_a_finite_loss():
    targets, logits = scene()
    loss = SegmentationLoss()
    alone = value(loss, targets[:1], logits[:1])
    targets[1] = 255
    assert value(loss, targets, logits) == pytest.approx(alone / 2, rel=1e-5)
    targets[0] = 255
    assert value(loss, targets, logits) == 0.0


def test_class_weights_are_factors_on_the_pixels_of_a_class():
    targets, logits = scene()
    weights = np.array([0.5, 2.0, 1.0])
    expected = (cross_entropy(targets, logits) * weights[targets]).mean()
    loss = SegmentationLoss(class_weights=weights)
    assert value(loss, targets, logits) == pytest.approx(expected, rel=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert value(again, targets, logits) == pytest.approx(expected, rel=1e-5)


def test_weights_of_another_number_of_classes_are_told():
    with pytest.raises(ValueError, match=r"one a class, 3 here; got 2\. Is the background missing"):
        SegmentationLoss(class_weights=[1, 2])(*scene())
