"""Proposals are those of plain loops over levels and boxes."""

import keras
import numpy as np
import pytest
from cases import compiled
from keras import ops

from zoo.layers import BoxCoder, ProposalDecoder

SIZES = [48, 12]
CODER = BoxCoder((1.0, 1.0, 1.0, 1.0))


def batch(seed=0, pictures=2):
    rng = np.random.default_rng(seed)
    count = sum(SIZES)
    centres, sides = rng.uniform(0, 1, (count, 2)), rng.uniform(0.1, 0.4, (count, 2))
    anchors = np.concatenate([centres - sides / 2, centres + sides / 2], -1).astype("float32")
    objectness = rng.normal(size=(pictures, count)).astype("float32")
    deltas = rng.normal(0, 0.3, (pictures, count, 4)).astype("float32")
    return objectness, deltas, anchors


def decoded(deltas, anchor):
    """R-CNN's equations, one box, in float64."""
    x, y, width, height = (anchor[:2] + anchor[2:]).tolist() + (anchor[2:] - anchor[:2]).tolist()
    x, y = x / 2 + deltas[0] * width, y / 2 + deltas[1] * height
    half = np.exp(deltas[2]) * width / 2, np.exp(deltas[3]) * height / 2
    return np.clip([x - half[0], y - half[1], x + half[0], y + half[1]], 0, 1)


def iou(a, b):
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return sides.prod() / (sum(areas) - sides.prod())


def by_loops(objectness, deltas, anchors, *, pre_nms, proposals, threshold=0.7):
    kept, start = [], 0
    for size in SIZES:
        rows = range(start, start + size)
        best = sorted(rows, key=lambda row: -objectness[row])[:pre_nms]
        boxes = []
        for row in best:
            box = decoded(np.float64(deltas[row]), np.float64(anchors[row]))
            if (
                all(iou(box, other) <= threshold for _, other in boxes)
                and (box[2:] > box[:2]).all()
            ):
                boxes.append((objectness[row], box))
        kept += boxes
        start += size
    return [box for _, box in sorted(kept, key=lambda pair: -pair[0])][:proposals]


def propose(decoder, objectness, deltas, anchors, training=False):
    call = compiled(lambda o, d: decoder(o, d, anchors, SIZES, training=training))
    return ops.convert_to_numpy(call(objectness, deltas))


@pytest.mark.parametrize("seed", range(3))
def test_proposals_are_those_of_loops(seed):
    decoder = ProposalDecoder(CODER, iou_threshold=0.3, pre_nms=20, proposals=15)
    objectness, deltas, anchors = batch(seed)
    found = propose(decoder, objectness, deltas, anchors)
    assert found.shape == (2, 15, 4)
    for row in range(2):
        wanted = by_loops(
            objectness[row], deltas[row], anchors, pre_nms=20, proposals=15, threshold=0.3
        )
        np.testing.assert_allclose(found[row, : len(wanted)], wanted, atol=1e-5)
        assert (found[row, len(wanted) :] == 0).all()


def test_training_has_its_own_numbers():
    decoder = ProposalDecoder(CODER, pre_nms=4, proposals=5, train_pre_nms=8, train_proposals=9)
    assert propose(decoder, *batch()).shape == (2, 5, 4)
    assert propose(decoder, *batch(), training=True).shape == (2, 9, 4)


def test_there_are_no_more_proposals_than_candidates():
    decoder = ProposalDecoder(CODER, pre_nms=10, proposals=1000)
    assert propose(decoder, *batch()).shape == (2, 20, 4)


def test_a_box_outside_the_picture_is_no_proposal():
    objectness, deltas, anchors = batch()
    deltas[..., 0] = 100.0  # a hundred widths to the right
    found = propose(ProposalDecoder(CODER, pre_nms=5, proposals=5), objectness, deltas, anchors)
    assert (found == 0).all()


def test_it_survives_serialisation():
    piece = ProposalDecoder(CODER, pre_nms=7, train_proposals=3)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(piece))
    assert keras.saving.serialize_keras_object(twin) == keras.saving.serialize_keras_object(piece)
