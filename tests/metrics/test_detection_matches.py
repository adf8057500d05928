"""Curves against pycocotools', the confusion against scikit-learn's, the rest by hand."""

import numpy as np
import pytest
from coco_reference import NAMES, random_split, run_pycocotools
from sklearn.metrics import confusion_matrix

from zoo.metrics import DetectionMatches, detection_metrics
from zoo.results import Detections

pytestmark = pytest.mark.any_backend

PAIR = ("ant", "bee")


@pytest.mark.parametrize(("kind", "coco_kind"), [("boxes", "bbox"), ("masks", "segm")])
def test_curves_are_those_of_pycocotools(kind, coco_kind, tmp_path):
    truth, answers = random_split(3)
    precision = run_pycocotools(truth, answers, tmp_path, coco_kind).eval["precision"]
    curves = DetectionMatches(truth, answers, kind=kind).curves()
    assert [curve.name for curve in curves] == list(NAMES[:3])  # nobody annotated a dog
    for label, curve in enumerate(curves):
        assert curve.precision.tolist() == precision[0, :, label, 0, 2].tolist()
    everywhere = detection_metrics(truth, answers, kind=kind)
    assert np.mean([curve.ap for curve in curves]) == pytest.approx(everywhere["ap50"])


def test_what_is_right_and_what_is_left_over_are_pycocotools_counts(tmp_path):
    truth, answers = random_split(5)
    reference = run_pycocotools(truth, answers, tmp_path, "bbox")
    table = DetectionMatches(truth, answers).confusion(0.0)
    shown = [match for match in reference.evalImgs if match and match["aRng"] == [0, 1e10]]
    hits = sum(
        np.sum(m["dtMatches"][0].astype(bool) & ~m["dtIgnore"][0].astype(bool)) for m in shown
    )
    assert np.trace(table[:-1, :-1]) == hits
    assert table[:-1].sum() == sum(np.sum(m["gtIgnore"] == 0) for m in shown)
    assert table[:, :-1].sum() == sum(np.sum(m["dtIgnore"][0] == 0) for m in shown)


def test_one_box_a_picture_makes_the_confusion_of_a_classifier():
    rng = np.random.default_rng(0)
    true, taken = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    box = [[10, 10, 50, 60]]
    truth = [Detections.ground_truth(box, [label], NAMES) for label in true]
    answers = [Detections(box, [0.9], [label], class_names=NAMES) for label in taken]
    table = DetectionMatches(truth, answers).confusion(0.5)
    assert table[:-1, :-1].tolist() == confusion_matrix(true, taken, labels=range(4)).tolist()
    assert table[-1].sum() == table[:, -1].sum() == 0


def scene():
    """An ant that is found well, a bee taken for an ant, a missed bee, and a false alarm."""
    boxes = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]]
    truth = Detections.ground_truth(boxes, [0, 1, 1], PAIR)
    found = [[0, 0, 10, 8], [20, 0, 30, 10], [70, 70, 80, 80]]
    return [truth], [Detections(found, [0.9, 0.8, 0.7], [0, 0, 1], class_names=PAIR)]


def test_slips_misses_and_false_alarms_have_their_cells():
    assert DetectionMatches(*scene()).confusion(0.0).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]


def test_what_scores_less_than_the_operating_point_was_not_found():
    assert DetectionMatches(*scene()).confusion(0.85).tolist() == [[1, 0, 0], [0, 0, 2], [0, 0, 0]]


def test_an_object_of_the_class_goes_before_a_nearer_one_of_another():
    truth = Detections.ground_truth([[0, 0, 10, 10], [0, 0, 10, 8]], [0, 1], PAIR)
    found = Detections([[0, 0, 10, 10]], [0.9], [1], class_names=PAIR)
    assert DetectionMatches([truth], [found]).confusion(0.0).tolist() == [
        [0, 0, 1], [0, 1, 0], [0, 0, 0],
    ]  # fmt: skip


def test_crowds_are_neither_objects_nor_mistakes():
    crowd = Detections.ground_truth([[0, 0, 50, 50]], [0], PAIR, crowd=[True])
    inside = Detections([[0, 0, 50, 40], [5, 0, 50, 50]], [0.9, 0.8], [0, 0], class_names=PAIR)
    matches = DetectionMatches([crowd], [inside])
    assert matches.confusion(0.0).sum() == 0
    assert matches.qualities(0.0).tolist() == [1.0]
    assert matches.curves() == []


def test_quality_is_f1_times_the_overlap():
    # One hit of IoU .8; 3 objects and 3 detections: F1 = 2 / 6.
    assert DetectionMatches(*scene()).qualities(0.0) == pytest.approx([0.8 * 2 / 6])
    # From .85 on one detection is left: F1 = 2 / 4.
    assert DetectionMatches(*scene()).qualities(0.85) == pytest.approx([0.8 * 2 / 4])


def test_overlap_is_that_of_the_object_that_was_matched():
    """Two objects of a class, the later one found: rows and columns are not mixed up."""
    crowd = Detections.ground_truth(
        [[60, 60, 90, 90], [0, 0, 10, 10], [20, 0, 30, 10]], [0, 0, 0], PAIR, [True, False, False]
    )
    found = Detections([[20, 0, 30, 6], [0, 0, 10, 9]], [0.5, 0.9], [0, 0], class_names=PAIR)
    assert DetectionMatches([crowd], [found]).qualities(0.0) == pytest.approx([(0.6 + 0.9) / 2])


def test_empty_pictures_are_perfect_unless_something_is_found():
    nothing = Detections.empty(PAIR)
    alarm = Detections([[0, 0, 9, 9]], [0.9], [0], class_names=PAIR)
    matches = DetectionMatches([nothing, nothing], [nothing, alarm])
    assert matches.qualities(0.0).tolist() == [1.0, 0.0]


def test_the_best_point_is_the_highest_f1_by_trying_every_score():
    truth, answers = random_split(1)
    matches = DetectionMatches(truth, answers)
    point = matches.best_point()
    tried = {}
    for score in np.unique(np.concatenate([found.scores for found in answers])):
        table = matches.confusion(score)
        hits = np.trace(table[:-1, :-1])
        tried[score] = 2 * hits / (table[:-1].sum() + table[:, :-1].sum())
    assert point.f1 == pytest.approx(max(tried.values()))
    assert point.score == max(score for score, f1 in tried.items() if f1 == max(tried.values()))
    assert point.f1 == pytest.approx(
        2 * point.precision * point.recall / (point.precision + point.recall)
    )


def test_without_a_right_detection_the_point_is_a_half():
    truth, answers = scene()
    assert DetectionMatches(truth, [Detections.empty(PAIR)]).best_point().score == 0.5
    wrong = answers[0].take(np.array([2]))
    assert DetectionMatches(truth, [wrong]).best_point().f1 == 0.0
