"""The 11-point AP of Pascal VOC 2007, by hand."""

import numpy as np
import pytest

from zoo.metrics.voc import voc07_ap
from zoo.results import Detections

pytestmark = pytest.mark.any_backend

A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)
NOWHERE = (80, 80, 90, 90)


def truth(*boxes, **fields):
    return Detections.ground_truth(boxes=boxes, labels=[0] * len(boxes), **fields)


def answer(*boxes, scores):
    return Detections(boxes=boxes, scores=scores, labels=[0] * len(boxes))


def test_hit_miss_hit_of_three_objects():
    # Recall 1/3 at precision 1 serves 0 .1 .2 .3; recall 2/3 at precision 2/3 serves .4 .5 .6.
    found = answer(A, NOWHERE, B, scores=[0.9, 0.8, 0.7])
    assert voc07_ap([truth(A, B, C)], [found], 0) == pytest.approx((4 + 3 * 2 / 3) / 11, abs=1e-12)


def test_detections_are_ranked_over_all_pictures():
    # The miss of the second picture comes first: precision 0/1, 1/2.
    pictures = [truth(A), truth()]
    found = [answer(A, scores=[0.5]), answer(NOWHERE, scores=[0.6])]
    assert voc07_ap(pictures, found, 0) == pytest.approx(0.5, abs=1e-12)


def test_the_second_detection_of_an_object_is_wrong():
    # Ranked hit, duplicate, hit: recall 1/2 at 1 serves 0 .. .5, recall 1 at 2/3 serves five.
    found = answer(B, A, A, scores=[0.7, 0.8, 0.9])
    assert voc07_ap([truth(A, B)], [found], 0) == pytest.approx((6 + 5 * 2 / 3) / 11, abs=1e-12)


def test_a_detection_takes_the_object_it_overlaps_most_even_if_that_is_taken():
    # (0, 0, 10, 11) overlaps A by 10/11 and its neighbour by more than half, but A is taken.
    neighbour = (0, 2, 10, 12)
    found = answer(A, (0, 0, 10, 11), scores=[0.9, 0.8])
    # One hit of two objects: recall 1/2 at precision 1 serves 0 .. .5.
    assert voc07_ap([truth(A, neighbour)], [found], 0) == pytest.approx(6 / 11, abs=1e-12)


def test_an_iou_of_exactly_one_half_is_a_hit():
    assert voc07_ap([truth(A)], [answer((0, 0, 10, 5), scores=[1])], 0) == 1.0


def test_a_crowd_is_neither_a_hit_nor_a_miss():
    picture = truth(A, B, crowd=[True, False])
    assert voc07_ap([picture], [answer(A, B, scores=[0.9, 0.1])], 0) == 1.0


def test_other_classes_do_not_matter():
    picture = Detections.ground_truth(boxes=[A, B], labels=[0, 1])
    found = Detections(boxes=[A, NOWHERE], scores=[0.5, 0.9], labels=[0, 1])
    assert voc07_ap([picture], [found], 0) == 1.0
    assert voc07_ap([picture], [found], 1) == 0.0


def test_a_class_without_objects_is_minus_one():
    assert voc07_ap([truth(A)], [truth(A)], 5) == -1.0


def test_masks_are_compared_pixel_by_pixel():
    # Both boxes are the whole 4x4 picture; the masks share 4 of 12 pixels.
    left, right = np.zeros((1, 4, 4), bool), np.zeros((1, 4, 4), bool)
    left[:, :, :2], right[:, :, 1:3] = True, True
    whole = [(0, 0, 4, 4)]
    picture = Detections.ground_truth(whole, [0], masks=left)
    found = Detections.ground_truth(whole, [0], masks=right)
    assert voc07_ap([picture], [found], 0, kind="boxes") == 1.0
    assert voc07_ap([picture], [found], 0, kind="masks") == 0.0
