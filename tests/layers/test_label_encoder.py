"""LabelEncoder against the book's multibox_target, written out in NumPy, and against zoo.d2l."""

import keras
import numpy as np
import pytest
from cases import compiled
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.layers import BoxCoder, LabelEncoder, Matcher

ENCODE = compiled(LabelEncoder(Matcher(0.5), BoxCoder()))


def encode(boxes, labels, anchors, encoder=ENCODE):
    targets = encoder(np.asarray(boxes, "float32"), np.asarray(labels, "int32"), anchors)
    return {name: ops.convert_to_numpy(value) for name, value in targets.items()}


def random_boxes(rng, count, smallest=0.05, largest=0.5):
    sizes = rng.uniform(smallest, largest, (count, 2))
    corners = rng.uniform(0, 1 - sizes)
    return np.concatenate([corners, corners + sizes], axis=1).astype("float32")


def iou(anchors, boxes):
    low = np.maximum(anchors[:, None, :2], boxes[None, :, :2])
    high = np.minimum(anchors[:, None, 2:], boxes[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(-1)
    areas = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (anchors, boxes)]
    return inter / (areas[0][:, None] + areas[1][None] - inter)


def book_targets(anchors, boxes, labels, threshold=0.5):
    """multibox_target of one picture without padding, loop for loop (book 13.4.3)."""
    overlap = iou(anchors, boxes)
    owner = np.where(overlap.max(1) >= threshold, overlap.argmax(1), -1)
    left = overlap.copy()
    for _ in range(len(boxes)):
        anchor, box = np.unravel_index(left.argmax(), left.shape)
        owner[anchor] = box
        left[anchor, :], left[:, box] = -1, -1
    classes = np.where(owner >= 0, labels[owner] + 1, 0)
    assigned = boxes[owner]
    centres = [(b[:, :2] + b[:, 2:]) / 2 for b in (assigned, anchors)]
    sizes = [b[:, 2:] - b[:, :2] for b in (assigned, anchors)]
    shift = 10 * (centres[0] - centres[1]) / sizes[1]
    scale = 5 * np.log(1e-6 + sizes[0] / sizes[1])
    deltas = np.concatenate([shift, scale], axis=1) * (owner >= 0)[:, None]
    return classes, deltas, owner >= 0


@pytest.mark.parametrize("objects", [1, 3, 8])
def test_targets_are_the_books(objects):
    rng = np.random.default_rng(objects)
    anchors, boxes = random_boxes(rng, 300), random_boxes(rng, objects)
    labels = rng.integers(0, 5, objects)
    targets = encode(boxes[None], labels[None], anchors)
    classes, deltas, positives = book_targets(anchors, boxes, labels)
    np.testing.assert_array_equal(targets["classes"][0], classes)
    np.testing.assert_array_equal(targets["positives"][0], positives)
    np.testing.assert_array_equal(targets["negatives"][0], ~positives)
    # The book adds 1e-6 inside the logarithm, 5e-6 at most here; the rest is float32.
    np.testing.assert_allclose(targets["deltas"][0], deltas, atol=2e-4)


def test_targets_are_those_of_zoo_d2l():
    from zoo import d2l

    rng = np.random.default_rng(3)
    anchors = random_boxes(rng, 200)
    boxes = np.stack([random_boxes(rng, 2) for _ in range(4)])
    labels = rng.integers(0, 3, (4, 2))
    targets = encode(boxes, labels, anchors)
    rows = np.concatenate([labels[..., None], boxes], axis=2).astype("float32")
    deltas, mask, classes = map(ops.convert_to_numpy, d2l.multibox_target(anchors[None], rows))
    np.testing.assert_array_equal(targets["classes"], classes)
    np.testing.assert_array_equal(targets["positives"], mask.reshape(4, -1, 4)[..., 0] > 0)
    np.testing.assert_allclose(targets["deltas"], deltas.reshape(4, -1, 4), atol=2e-4)


def test_labels_shift_by_one_for_the_background():
    anchors = np.array([[0, 0, 0.4, 0.4], [0.6, 0.6, 1, 1], [0.4, 0, 0.6, 0.2]], "float32")
    targets = encode([anchors[:2]], [[0, 6]], anchors)
    np.testing.assert_array_equal(targets["classes"], [[1, 7, 0]])


def test_the_matched_anchor_decodes_to_its_box():
    rng = np.random.default_rng(5)
    anchors, boxes = random_boxes(rng, 100), random_boxes(rng, 3)
    targets = encode(boxes[None], [[0, 1, 2]], anchors)
    found = ops.convert_to_numpy(BoxCoder().decode(targets["deltas"][0], anchors))
    positives = targets["positives"][0]
    owned = boxes[targets["classes"][0][positives] - 1]
    np.testing.assert_allclose(found[positives], owned, atol=1e-5)


def test_a_picture_without_objects_is_background_everywhere():
    anchors = random_boxes(np.random.default_rng(0), 50)
    targets = encode(np.zeros((2, 3, 4)), np.full((2, 3), -1), anchors)
    assert not targets["classes"].any()
    assert not targets["positives"].any()
    assert targets["negatives"].all()
    np.testing.assert_array_equal(targets["deltas"], 0)


def test_between_the_thresholds_an_anchor_is_neither():
    anchors = np.array([[0, 0, 1, 1], [0, 0, 1, 0.4], [0, 0, 0.1, 0.1]], "float32")
    targets = encode([[[0, 0, 1, 1]]], [[0]], anchors, LabelEncoder(Matcher(0.7, 0.3), BoxCoder()))
    np.testing.assert_array_equal(targets["positives"], [[True, False, False]])
    np.testing.assert_array_equal(targets["negatives"], [[False, False, True]])
    np.testing.assert_array_equal(targets["classes"], [[1, 0, 0]])
    np.testing.assert_array_equal(targets["deltas"][0, 1:], 0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), objects=st.integers(0, 4), garbage=st.floats(-2, 2, width=32))
def test_padding_rows_change_no_target_whatever_they_hold(seed, objects, garbage):
    rng = np.random.default_rng(seed)
    anchors, boxes = random_boxes(rng, 60), random_boxes(rng, objects)
    labels = rng.integers(0, 3, objects)
    tight = encode(*padded(boxes, labels, 4, 0.0), anchors)
    loose = encode(*padded(boxes, labels, 9, garbage), anchors)
    for name, value in tight.items():
        np.testing.assert_array_equal(value, loose[name], err_msg=name)


def padded(boxes, labels, rows, filler):
    all_boxes = np.full((1, rows, 4), filler, "float32")
    all_labels = np.full((1, rows), -1)
    all_boxes[0, : len(boxes)], all_labels[0, : len(labels)] = boxes, labels
    return all_boxes, all_labels


def test_it_survives_serialisation():
    encoder = LabelEncoder(Matcher(0.6, 0.4, bipartite=False), BoxCoder((1, 1, 1, 1)))
    config = keras.saving.serialize_keras_object(encoder)
    twin = keras.saving.deserialize_keras_object(config)
    assert twin.matcher.get_config() == encoder.matcher.get_config()
    assert twin.coder.get_config() == encoder.coder.get_config()
