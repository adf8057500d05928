"""Decoder against a NumPy loop over pictures, anchors and classes."""

from collections import Counter

import keras
import numpy as np
import pytest
from cases import compiled
from keras import ops

from zoo.layers import BoxCoder, Decoder


def predictions(seed, pictures=2, anchors=60, classes=3):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (pictures, anchors, classes + 1)).astype("float32")
    deltas = rng.normal(0, 0.7, (pictures, anchors, 4)).astype("float32")
    sizes = rng.uniform(0.2, 0.5, (anchors, 2))
    corners = rng.uniform(0, 1 - sizes)
    return logits, deltas, np.concatenate([corners, corners + sizes], 1).astype("float32")


def decode(decoder, *arguments):
    found = compiled(decoder)(*arguments)
    return {name: ops.convert_to_numpy(value) for name, value in found.items()}


def reference(logits, deltas, anchors, *, score, iou_limit, pre_nms, most, of_class=10**6):
    """One picture, in float64 and by the definition."""
    logits, deltas, anchors = (np.float64(a) for a in (logits, deltas, anchors))
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    scores = (exponents / exponents.sum(-1, keepdims=True))[:, 1:]
    centre = deltas[:, :2] * 0.1 * (anchors[:, 2:] - anchors[:, :2])
    centre += (anchors[:, 2:] + anchors[:, :2]) / 2
    half = np.exp(deltas[:, 2:] * 0.2) * (anchors[:, 2:] - anchors[:, :2]) / 2
    boxes = np.clip(np.concatenate([centre - half, centre + half], 1), 0, 1)
    pairs = [(scores[a, c], a, c) for a in range(len(anchors)) for c in range(scores.shape[1])]
    kept, ranked, seen = [], [], Counter()
    for value, a, c in sorted(pairs, key=lambda pair: -pair[0]):
        seen[c] += 1
        ranked += [(value, a, c)] if seen[c] <= of_class else []
    for value, a, c in ranked[:pre_nms]:
        rivals = [box for _, box, label in kept if label == c]
        if value >= score and all(iou(box, boxes[a]) <= iou_limit for box in rivals):
            kept.append((value, boxes[a], c))
    return kept[:most]


def iou(a, b):
    inter = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return inter / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inter)


@pytest.mark.parametrize(
    ("score", "iou_limit", "pre_nms", "most", "of_class"),
    [
        (0.01, 0.5, 400, 100, None),
        (0.3, 0.3, 60, 100, None),
        (0.01, 0.7, 400, 5, None),
        (0.01, 0.5, None, 100, 9),
        (0.01, 0.5, 20, 100, 9),
        (0.01, 0.5, None, 100, 60),  # no more than there are anchors
    ],
)
def test_detections_are_those_of_the_definition(score, iou_limit, pre_nms, most, of_class):
    logits, deltas, anchors = predictions(seed=1)
    decoder = Decoder(BoxCoder(), score, iou_limit, pre_nms, most, class_pre_nms=of_class)
    found = decode(decoder, logits, deltas, anchors)
    for row in range(len(logits)):
        limits = {"score": score, "iou_limit": iou_limit, "pre_nms": pre_nms, "most": most}
        limits |= {} if of_class is None else {"of_class": of_class}
        expected = reference(logits[row], deltas[row], anchors, **limits)
        num = found["num"][row]
        assert num == len(expected)
        np.testing.assert_array_equal(found["labels"][row, :num], [c for _, _, c in expected])
        np.testing.assert_allclose(
            found["scores"][row, :num], [s for s, _, _ in expected], atol=1e-6
        )
        np.testing.assert_allclose(
            found["boxes"][row, :num], [b for _, b, _ in expected], atol=1e-5
        )


def test_shapes_do_not_depend_on_what_is_found():
    logits, deltas, anchors = predictions(seed=2)
    logits[0, :, 0] = 50.0  # background without a doubt: nothing is found in the first picture
    found = decode(Decoder(BoxCoder(), max_detections=7), logits, deltas, anchors)
    assert found["boxes"].shape == (2, 7, 4)
    assert found["scores"].shape == found["labels"].shape == (2, 7)
    assert found["num"][0] == 0
    np.testing.assert_array_equal(found["labels"][0], -1)
    np.testing.assert_array_equal(found["scores"][0], 0)
    np.testing.assert_array_equal(found["boxes"][0], 0)


def test_scores_fall_and_padding_comes_last():
    found = decode(Decoder(BoxCoder(), 0.4), *predictions(seed=3))
    assert (np.diff(found["scores"]) <= 0).all()
    places = np.arange(found["labels"].shape[1])
    np.testing.assert_array_equal(found["labels"] >= 0, places < found["num"][:, None])


def test_the_background_is_never_a_detection_and_labels_start_at_0():
    anchors = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], "float32")
    logits = np.array([[[0, 9, 0], [9, 0, 0]]], "float32")
    found = decode(Decoder(BoxCoder(), 0.5), logits, np.zeros((1, 2, 4), "float32"), anchors)
    assert found["num"] == [1]
    assert found["labels"][0, 0] == 0
    np.testing.assert_allclose(found["boxes"][0, 0], anchors[0], atol=1e-6)


def test_boxes_of_different_classes_do_not_suppress_each_other():
    anchors = np.array([[0, 0, 0.5, 0.5]] * 2, "float32")
    logits = np.array([[[0, 5, 0], [0, 0, 5]]], "float32")
    deltas = np.zeros((1, 2, 4), "float32")
    found = decode(Decoder(BoxCoder(), 0.5), logits, deltas, anchors)
    assert sorted(found["labels"][0, :2]) == [0, 1]


def test_wild_predictions_give_finite_boxes_inside_the_picture():
    logits, deltas, anchors = predictions(seed=4)
    found = decode(Decoder(BoxCoder()), logits, deltas * 1e6, anchors)
    assert np.isfinite(found["boxes"]).all()
    assert found["boxes"].min() >= 0
    assert found["boxes"].max() <= 1


def test_it_survives_serialisation():
    decoder = Decoder(BoxCoder((1, 1, 1, 1)), 0.2, 0.3, 40, 5, class_pre_nms=7)
    config = keras.saving.serialize_keras_object(decoder)
    assert keras.saving.deserialize_keras_object(config).get_config() == decoder.get_config()
