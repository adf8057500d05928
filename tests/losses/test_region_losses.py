"""The losses of both stages and of the masks against loops over pictures in float64."""

import keras
import numpy as np
import pytest
from cases import compiled
from keras import ops

from zoo.losses import MaskLoss, RoILoss, RPNLoss

BETA = 1 / 9


def smooth_l1(difference):
    """Girshick 2015, eq. 3, with the corner at BETA instead of 1; summed over the offsets."""
    size = np.abs(difference)
    return np.where(size < BETA, 0.5 * size**2 / BETA, size - 0.5 * BETA).sum(-1)


def scalars(loss, *arguments):
    tensors = keras.tree.map_structure(ops.convert_to_tensor, arguments)
    answer = compiled(lambda *values: loss(*values))(*tensors)
    return {name: float(value) for name, value in answer.items()}


def rpn_batch(seed=0, pictures=3, anchors=50):
    rng = np.random.default_rng(seed)
    positives = rng.random((pictures, anchors)) < 0.2
    positives[-1] = False  # a picture without objects
    deltas = rng.normal(size=(pictures, anchors, 4)) * positives[..., None]
    sampled = rng.random((pictures, anchors)) < [[0.5], [0.2], [0.4]]
    targets = {
        "positives": positives,
        "deltas": deltas.astype("float32"),
    }
    outputs = {
        "objectness": rng.normal(0, 2, (pictures, anchors)).astype("float32"),
        "deltas": rng.normal(size=(pictures, anchors, 4)).astype("float32"),
    }
    return targets, sampled, outputs


def test_the_rpn_loss_is_a_mean_over_each_pictures_sample():
    targets, sampled, outputs = rpn_batch()
    logits = np.float64(outputs["objectness"])
    entropy = np.log1p(np.exp(-np.where(targets["positives"], logits, -logits)))
    boxes = smooth_l1(np.float64(outputs["deltas"]) - targets["deltas"]) * targets["positives"]
    wanted = [
        np.mean([values[row][sampled[row]].sum() / sampled[row].sum() for row in range(3)])
        for values in (entropy, boxes)
    ]
    found = scalars(RPNLoss(), targets, sampled, outputs)
    assert found["rpn_class_loss"] == pytest.approx(wanted[0], rel=1e-5)
    assert found["rpn_box_loss"] == pytest.approx(wanted[1], rel=1e-5)
    weighed = scalars(RPNLoss(box_weight=3.0), targets, sampled, outputs)
    assert weighed["rpn_box_loss"] == pytest.approx(3 * wanted[1], rel=1e-5)


def roi_batch(seed=0, pictures=3, regions=12, classes=2):
    rng = np.random.default_rng(seed)
    sampled = np.arange(regions) < np.array([[12], [7], [9]])
    positives = np.arange(regions) < np.array([[4], [2], [0]])
    deltas = rng.normal(size=(pictures, regions, 4)) * positives[..., None]
    targets = {
        "sampled": sampled,
        "positives": positives,
        "classes": np.where(positives, rng.integers(1, classes + 1, positives.shape), 0).astype(
            "int32"
        ),
        "deltas": deltas.astype("float32"),
    }
    outputs = {
        "class_logits": rng.normal(0, 2, (pictures, regions, classes + 1)).astype("float32"),
        "box_deltas": rng.normal(size=(pictures, regions, classes, 4)).astype("float32"),
    }
    return targets, outputs


def test_the_roi_loss_compares_the_box_of_the_regions_class():
    targets, outputs = roi_batch()
    class_loss = box_loss = 0.0
    for row in range(3):
        size = targets["sampled"][row].sum()
        for region in range(size):
            label = targets["classes"][row, region]
            logits = np.float64(outputs["class_logits"][row, region])
            class_loss += (np.log(np.exp(logits).sum()) - logits[label]) / size / 3
            if targets["positives"][row, region]:
                deltas = np.float64(outputs["box_deltas"][row, region, label - 1])
                box_loss += smooth_l1(deltas - targets["deltas"][row, region]) / size / 3
    found = scalars(RoILoss(), targets, outputs)
    assert found["class_loss"] == pytest.approx(class_loss, rel=1e-5)
    assert found["box_loss"] == pytest.approx(box_loss, rel=1e-5)


def test_the_mask_loss_is_a_mean_over_positives():
    rng = np.random.default_rng(0)
    targets = rng.random((2, 5, 4, 4)).astype("float32").round()
    logits = rng.normal(size=(2, 5, 4, 4)).astype("float32")
    positives = np.arange(5) < np.array([[3], [1]])
    entropy = np.log1p(np.exp(-np.where(targets > 0, np.float64(logits), -np.float64(logits))))
    wanted = np.mean([entropy[row][positives[row]].mean() for row in range(2)])
    found = scalars(MaskLoss(), targets, logits, positives)
    assert found["mask_loss"] == pytest.approx(wanted, rel=1e-5)


def test_nothing_sampled_is_no_loss():
    targets, sampled, outputs = rpn_batch()
    assert set(scalars(RPNLoss(), targets, sampled & False, outputs).values()) == {0.0}
    targets, outputs = roi_batch()
    targets = targets | {name: targets[name] & False for name in ("sampled", "positives")}
    assert set(scalars(RoILoss(), targets, outputs).values()) == {0.0}
    masks = np.zeros((2, 3, 4, 4), "float32")
    assert scalars(MaskLoss(), masks, masks, np.zeros((2, 3), bool)) == {"mask_loss": 0.0}


@pytest.mark.parametrize("loss", [RPNLoss(0.5, 2.0), RoILoss(0.5, 2.0), MaskLoss(2.0)])
def test_losses_survive_serialisation(loss):
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert twin.get_config() == loss.get_config()
