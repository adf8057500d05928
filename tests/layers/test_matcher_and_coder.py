"""Matcher and BoxCoder hold their hyperparameters and hand them to zoo.ops."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import BoxCoder, Matcher
from zoo.ops import pairwise_iou

IOU = np.array([[[0.9], [0.6], [0.4], [0.1]]], "float32")


def matched(matcher, iou=IOU):
    return ops.convert_to_numpy(matcher(iou, np.ones((1, 1), bool)))[0].tolist()


def test_thresholds_part_positive_ignored_and_background():
    assert matched(Matcher(0.5)) == [0, 0, -1, -1]
    assert matched(Matcher(0.7, 0.3)) == [0, -2, -2, -1]


def test_bipartite_gives_a_box_its_best_anchor_below_the_threshold():
    assert matched(Matcher(0.95)) == [0, -1, -1, -1]
    assert matched(Matcher(0.95, bipartite=False)) == [-1, -1, -1, -1]


def test_low_quality_matches_are_all_anchors_that_share_a_boxs_best_iou():
    # Three boxes. The first two anchors tie for box 0; the third is best for box 1, but overlaps
    # box 0 more and answers for that, as in torchvision; nothing overlaps box 2.
    iou = np.array([[[0.4, 0.0, 0], [0.4, 0.1, 0], [0.35, 0.2, 0], [0.1, 0.1, 0]]], "float32")
    valid = np.ones((1, 3), bool)
    matcher = Matcher(0.7, 0.3, bipartite=False, low_quality=True)
    assert ops.convert_to_numpy(matcher(iou, valid))[0].tolist() == [0, 0, 0, -1]
    plain = Matcher(0.7, 0.3, bipartite=False)
    assert ops.convert_to_numpy(plain(iou, valid))[0].tolist() == [-2, -2, -2, -1]


def test_all_anchors_inside_one_box_share_its_best_iou():
    """Sides of 32 pixels in 416: in fractions their areas, which are equal, differ by rounding."""
    corners = 8 * np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2) + 101
    anchors = np.concatenate([corners, corners + 32], -1) / 416
    box = np.array([[[100, 100, 160, 160]]]) / 416  # holds every one; IoU 32**2 / 60**2 = .28
    matcher = Matcher(0.7, 0.3, bipartite=False, low_quality=True)
    iou = pairwise_iou(anchors.astype("float32"), box.astype("float32"))
    assert len(np.unique(ops.convert_to_numpy(iou))) > 1
    found = matcher(iou, np.array([[True]]))
    assert (ops.convert_to_numpy(found) == 0).all()


def test_padding_makes_no_low_quality_match():
    matcher = Matcher(0.7, 0.3, bipartite=False, low_quality=True)
    matches = matcher(IOU, np.zeros((1, 1), bool))
    assert ops.convert_to_numpy(matches)[0].tolist() == [-1, -1, -1, -1]


@pytest.mark.parametrize("variances", [(0.1, 0.1, 0.2, 0.2), (1, 1, 1, 1)])
def test_decoding_undoes_encoding(variances):
    anchors = np.array([[0.1, 0.1, 0.5, 0.4], [0.2, 0.3, 0.9, 0.8]], "float32")
    boxes = np.array([[0.2, 0.1, 0.4, 0.5], [0.0, 0.0, 1.0, 1.0]], "float32")
    coder = BoxCoder(variances)
    back = ops.convert_to_numpy(coder.decode(coder.encode(boxes, anchors), anchors))
    np.testing.assert_allclose(back, boxes, atol=1e-6)


def test_variances_divide_the_offsets():
    anchors = np.array([[0.0, 0.0, 0.5, 0.5]], "float32")
    boxes = np.array([[0.1, 0.0, 0.6, 1.0]], "float32")
    deltas = ops.convert_to_numpy(BoxCoder((0.1, 0.1, 0.2, 0.2)).encode(boxes, anchors))
    # Centre .1 to the right and .25 down, of .5 each: .2 / .1, .5 / .1; twice as high: ln 2 / .2.
    np.testing.assert_allclose(deltas, [[2.0, 5.0, 0.0, np.log(2) / 0.2]], atol=1e-5)


@pytest.mark.parametrize("piece", [Matcher(0.7, 0.3, bipartite=False), BoxCoder((1, 2, 3, 4))])
def test_pieces_survive_serialisation(piece):
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(piece))
    assert twin.get_config() == piece.get_config()
