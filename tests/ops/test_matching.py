import numpy as np
import pytest
from compilation import compiled
from keras import ops

from zoo.ops import match_anchors


def match(iou, valid=None, **options):
    iou = np.asarray(iou, "float32")[None]
    valid = np.ones(iou.shape[2], bool) if valid is None else np.asarray(valid)
    return ops.convert_to_numpy(match_anchors(iou, valid[None], **options))[0].tolist()


def greedy(iou, positive_threshold=0.5):
    """The book's algorithm as a loop over pairs, without its forced matches of IoU 0."""
    iou = iou.copy()
    best = iou.max(axis=1)
    matches = np.where(best >= positive_threshold, iou.argmax(axis=1), -1)
    while iou.max() > 0:
        anchor, box = np.unravel_index(iou.argmax(), iou.shape)
        matches[anchor] = box
        iou[anchor], iou[:, box] = 0, 0
    return matches


def test_an_anchor_takes_its_best_box_at_the_threshold():
    assert match([[0.5, 0.1], [0.2, 0.49], [0.6, 0.7]], bipartite=False) == [0, -1, 1]


def test_between_the_thresholds_an_anchor_is_ignored():
    matches = match(
        [[0.8], [0.5], [0.3], [0.2]],
        positive_threshold=0.7,
        negative_threshold=0.3,
        bipartite=False,
    )
    assert matches == [0, -2, -2, -1]


def test_every_object_gets_its_best_anchor():
    assert match([[0.2, 0.0], [0.1, 0.3], [0.0, 0.1]]) == [0, 1, -1]


def test_two_objects_that_want_one_anchor_share_it_out_by_iou():
    # Both prefer anchor 0; box 1 overlaps it more, box 0 falls back on anchor 1.
    assert match([[0.4, 0.45], [0.3, 0.1], [0.2, 0.2]]) == [1, 0, -1]


def test_the_forced_anchor_leaves_the_box_it_overlaps_more():
    # Anchor 0 overlaps box 1 by .8, but box 0 has no other anchor; anchor 1 belongs to box 1.
    assert match([[0.6, 0.8], [0.0, 0.9]]) == [0, 1]


def test_padding_takes_no_anchor():
    assert match([[0.0, 0.0], [0.9, 0.9]], valid=[True, False]) == [-1, 0]


def test_an_object_without_overlap_takes_no_anchor():
    assert match([[0.0, 0.6], [0.0, 0.1]]) == [1, -1]


def test_a_picture_without_objects_is_background():
    assert match([[0.9], [0.1]], valid=[False], positive_threshold=0.0) == [-1, -1]


def test_ties_go_to_the_lower_anchor_and_then_the_lower_box():
    assert match([[0.3, 0.3], [0.3, 0.3], [0.3, 0.3]]) == [0, 1, -1]


@pytest.mark.parametrize("digits", [1, 6])
def test_the_matching_is_the_greedy_loop(digits):
    # One digit makes many ties, six make almost none.
    rng = np.random.default_rng(digits)
    iou = np.round(rng.uniform(size=(6, 40, 12)) ** 3, digits).astype("float32")
    run = compiled(lambda x, y: match_anchors(x, y))
    got = ops.convert_to_numpy(run(*map(ops.convert_to_tensor, (iou, np.ones((6, 12), bool)))))
    np.testing.assert_array_equal(got, np.stack([greedy(one) for one in iou]))


def test_more_objects_than_anchors_leave_some_out():
    iou = np.random.default_rng(3).uniform(0.1, 0.4, size=(4, 9)).astype("float32")
    np.testing.assert_array_equal(match(iou), greedy(iou))


def test_anchors_on_the_last_axis_are_suspected_when_shapes_do_not_fit():
    with pytest.raises(ValueError, match="Are the anchors the last axis of iou"):
        match_anchors(np.zeros((2, 3, 50)), np.ones((2, 3), bool))


def test_thresholds_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"negative 0\.6, positive 0\.5"):
        match([[0.5]], negative_threshold=0.6)
