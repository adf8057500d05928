"""Section 13.4 of the book, its printed values cell by cell, and what it does with odd input."""

import numpy as np
import pytest
from compilation import compiled
from keras import ops

from zoo import d2l
from zoo.ops import match_anchors, nms, pairwise_iou

GROUND_TRUTH = np.float32([[0, 0.1, 0.08, 0.52, 0.92], [1, 0.55, 0.2, 0.9, 0.88]])
ANCHORS = np.float32(
    [
        [0, 0.1, 0.2, 0.3],
        [0.15, 0.2, 0.4, 0.4],
        [0.63, 0.05, 0.88, 0.98],
        [0.66, 0.45, 0.8, 0.8],
        [0.57, 0.3, 0.92, 0.9],
    ]
)
PREDICTED = np.float32(
    [
        [0.1, 0.08, 0.52, 0.92],
        [0.08, 0.2, 0.56, 0.95],
        [0.15, 0.3, 0.62, 0.91],
        [0.55, 0.2, 0.9, 0.88],
    ]
)
PROBABILITIES = np.float32([[0, 0, 0, 0], [0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.9]])


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def run(function, *arrays):
    """Run a cell compiled where the backend compiles: quicker than JAX op by op."""
    outputs = compiled(function)(*map(ops.convert_to_tensor, arrays))
    return [numpy(part) for part in outputs] if isinstance(outputs, tuple) else numpy(outputs)


@pytest.fixture(scope="module")
def prior():
    data = np.broadcast_to(np.float32(0), (1, 3, 561, 728))  # the picture of the dog and the cat
    return numpy(d2l.multibox_prior(data, sizes=[0.75, 0.5, 0.25], ratios=[1, 2, 0.5]))


def test_the_picture_has_2042040_anchors(prior):
    assert prior.shape == (1, 2042040, 4)


def test_the_first_anchor_at_250_250_is_the_printed_one(prior):
    box = prior.reshape(561, 728, 5, 4)[250, 250, 0]
    np.testing.assert_allclose(box, [0.06, 0.07, 0.63, 0.82], atol=0.005)  # two decimals printed


def test_the_other_anchors_at_250_250_differ_in_size_and_ratio_as_captioned(prior):
    # s=.75 r=1, s=.5 r=1, s=.25 r=1, s=.75 r=2, s=.75 r=.5; width = s sqrt(r) 561/728.
    boxes = prior.reshape(561, 728, 5, 4)[250, 250]
    sizes, ratios = np.array([0.75, 0.5, 0.25, 0.75, 0.75]), np.array([1, 1, 1, 2, 0.5])
    expected = np.stack([sizes * np.sqrt(ratios) * 561 / 728, sizes / np.sqrt(ratios)], axis=1)
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], expected, atol=1e-6)


def test_corners_and_centres_convert_into_each_other():
    boxes = np.float32([[60, 45, 378, 516], [400, 112, 655, 493]])  # 13.3, the dog and the cat
    centres = numpy(d2l.box_corner_to_center(boxes))
    np.testing.assert_array_equal(centres, [[219, 280.5, 318, 471], [527.5, 302.5, 255, 381]])
    np.testing.assert_array_equal(numpy(d2l.box_center_to_corner(centres)), boxes)


@pytest.fixture
def target():
    return run(d2l.multibox_target, ANCHORS[None], GROUND_TRUTH[None])


def test_the_classes_of_the_dog_and_cat_example(target):
    np.testing.assert_array_equal(target[2], [[0, 1, 2, 0, 2]])


def test_the_mask_of_the_dog_and_cat_example(target):
    np.testing.assert_array_equal(target[1], np.repeat([[0, 1, 1, 0, 1]], 4, axis=1))


def test_the_offsets_of_the_dog_and_cat_example(target):
    printed = [
        [0, 0, 0, 0],
        [1.40, 10.0, 2.59, 7.18],
        [-1.20, 0.269, 1.68, -1.57],
        [0, 0, 0, 0],
        [-0.571, -1.00, -8.94e-7, 0.626],
    ]
    np.testing.assert_allclose(target[0].reshape(5, 4), printed, atol=0.005, rtol=0.005)


def test_the_anchors_are_assigned_as_the_book_explains():
    # A4 and the cat overlap most, then A1 and the dog; A2 overlaps the cat by more than a half.
    matches = run(lambda x, y: d2l.assign_anchor_to_bbox(x, y, "cpu"), GROUND_TRUTH[:, 1:], ANCHORS)
    np.testing.assert_array_equal(matches, [-1, 0, 1, -1, 1])


def test_offsets_are_inverted():
    # The 1e-6 the book adds to the relative size keeps this from being exact.
    offsets = d2l.offset_boxes(ANCHORS, PREDICTED[[0, 1, 2, 3, 0]])
    boxes = numpy(d2l.offset_inverse(ANCHORS, offsets))
    np.testing.assert_allclose(boxes, PREDICTED[[0, 1, 2, 3, 0]], atol=2e-6)


def detect(**options):
    arrays = PROBABILITIES[None], np.zeros((1, 16), "float32"), PREDICTED[None]
    return run(lambda *tensors: d2l.multibox_detection(*tensors, **options), *arrays)


def test_the_detections_of_the_four_boxes():
    printed = [
        [0, 0.90, 0.10, 0.08, 0.52, 0.92],
        [1, 0.90, 0.55, 0.20, 0.90, 0.88],
        [-1, 0.80, 0.08, 0.20, 0.56, 0.95],
        [-1, 0.70, 0.15, 0.30, 0.62, 0.91],
    ]
    np.testing.assert_allclose(detect(nms_threshold=0.5), [printed], atol=1e-6)


def test_scores_below_the_threshold_become_one_minus_themselves():
    rows = detect(pos_threshold=0.85)[0]
    np.testing.assert_array_equal(rows[:, 0], [0, 1, -1, -1])
    np.testing.assert_allclose(rows[:, 1], [0.9, 0.9, 0.2, 0.3], atol=1e-6)


def test_nms_returns_only_the_kept():
    kept = d2l.nms(PREDICTED, PROBABILITIES[1:].max(axis=0), 0.5)
    assert numpy(kept).tolist() == [0, 3]


def test_the_book_forces_an_anchor_onto_padding_and_zoo_does_not():
    padding = np.float32([[-1, 0, 0, 0, 0]])
    labels = np.concatenate([GROUND_TRUTH, padding])
    _, mask, classes = run(d2l.multibox_target, ANCHORS[None], labels[None])
    # The first anchor left without a box: background by class, but in the box loss by its mask.
    np.testing.assert_array_equal(classes, [[0, 1, 2, 0, 2]])
    np.testing.assert_array_equal(mask[0].reshape(5, 4)[:, 0], [1, 1, 1, 0, 1])
    iou = numpy(pairwise_iou(ANCHORS, labels[:, 1:]))[None]
    matches = run(match_anchors, iou, labels[None, :, 0] >= 0)
    np.testing.assert_array_equal(matches, [[-1, 0, 1, -1, 1]])


def test_the_book_forces_an_anchor_onto_an_object_without_overlap_and_zoo_does_not():
    far = np.float32([[5, 5, 6, 6]])
    assert run(d2l.assign_anchor_to_bbox, far, ANCHORS).tolist() == [0, -1, -1, -1, -1]
    iou = numpy(pairwise_iou(ANCHORS, far))[None]
    assert (run(match_anchors, iou, np.ones((1, 1), bool)) == -1).all()


def test_the_book_divides_zero_by_zero_and_zoo_does_not():
    point = np.float32([[0.5, 0.5, 0.5, 0.5]])
    assert np.isnan(numpy(d2l.box_iou(point, point))).all()
    assert (numpy(pairwise_iou(point, point)) == 0).all()


def test_the_book_lets_an_empty_box_suppress_another_and_zoo_does_not():
    # not (NaN <= 0.5) is true.
    points, scores = np.float32([[0.5, 0.5, 0.5, 0.5]] * 2), np.float32([0.9, 0.8])
    assert numpy(d2l.nms(points, scores, 0.5)).tolist() == [0]
    assert run(lambda x, y: nms(x, y, 0.5, max_output=2), points, scores).tolist() == [0, 1]
