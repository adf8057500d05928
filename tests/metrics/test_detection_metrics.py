"""detection_metrics against pycocotools called directly on COCO JSON, and against arithmetic."""

import numpy as np
import pytest
from coco_reference import NAMES, random_split, run_pycocotools

from zoo.metrics import COCO_METRICS, detection_metrics, trivial_detections
from zoo.metrics.coco import match_pictures
from zoo.results import Detections

pytestmark = pytest.mark.any_backend

EXACT = 1e-12  # pycocotools divides by (hits + misses + 2e-16): its perfect score is 1 - 2e-16


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("kind", "coco_kind"), [("boxes", "bbox"), ("masks", "segm")])
def test_the_twelve_numbers_are_those_of_pycocotools(seed, kind, coco_kind, tmp_path):
    truth, answers = random_split(seed)
    metrics = detection_metrics(truth, answers, kind=kind)
    expected = run_pycocotools(truth, answers, tmp_path, coco_kind).stats
    assert [metrics[name] for name in COCO_METRICS] == expected.tolist()


def test_average_precision_of_a_class_is_that_of_pycocotools(tmp_path):
    truth, answers = random_split(7)
    precision = run_pycocotools(truth, answers, tmp_path, "bbox").eval["precision"]
    per_class = detection_metrics(truth, answers)["ap_per_class"]
    for label, name in enumerate(NAMES[:3]):
        assert per_class[name] == precision[:, :, label, 0, 2].mean()


def one_box(box=(0, 0, 100, 100), **fields):
    return Detections.ground_truth(boxes=[box], labels=[0], **fields)


def found(boxes, scores, **fields):
    return Detections(boxes=boxes, scores=scores, labels=np.zeros(len(boxes)), **fields)


def test_a_miss_between_two_hits_costs_a_third_of_half_the_curve():
    # Precision is 1 up to recall .50 (51 of 101 points) and 2/3 beyond (50 points).
    truth = [one_box(), one_box()]
    answers = [
        found([(0, 0, 100, 100)], [0.9]),
        found([(0, 200, 50, 250), (0, 0, 100, 100)], [0.8, 0.7]),
    ]
    metrics = detection_metrics(truth, answers)
    expected = pytest.approx((51 + 50 * 2 / 3) / 101, abs=EXACT)
    assert (metrics["ap"], metrics["ap50"]) == (expected, expected)


def test_a_box_of_iou_62_percent_counts_at_three_of_ten_thresholds():
    metrics = detection_metrics([one_box()], [found([(0, 0, 100, 62)], [1.0])])
    assert metrics["ap50"] == pytest.approx(1.0, abs=EXACT)
    assert metrics["ap75"] == 0.0
    assert metrics["ap"] == pytest.approx(0.3, abs=EXACT)


def test_perfect_answers_score_one():
    truth = [one_box(), Detections.empty(), one_box((5, 5, 20, 30))]
    metrics = detection_metrics(truth, truth)
    present = ("ap", "ap50", "ap75", "ap_small", "ap_large", "ar_1", "ar_100", "voc07_ap50")
    assert [metrics[name] for name in present] == pytest.approx([1.0] * len(present), abs=EXACT)


def test_the_trivial_detector_scores_zero():
    metrics = detection_metrics([one_box(), one_box()], trivial_detections(2, ("ant",)))
    assert [metrics[name] for name in ("ap", "ap50", "ar_100", "voc07_ap50")] == [0.0] * 4


def test_an_absent_class_scores_minus_one_and_leaves_the_mean_alone():
    truth = [one_box(class_names=("ant", "bee"))]
    metrics = detection_metrics(truth, truth)
    assert metrics["ap_per_class"] == pytest.approx({"ant": 1.0, "bee": -1.0}, abs=EXACT)
    assert metrics["ap"] == pytest.approx(1.0, abs=EXACT)
    assert metrics["voc07_ap50"] == 1.0


def test_sizes_nobody_annotated_score_minus_one():
    metrics = detection_metrics([one_box()], [Detections.empty()])
    assert (metrics["ap_small"], metrics["ap_large"]) == (-1.0, 0.0)


def test_without_any_object_every_number_is_minus_one():
    metrics = detection_metrics([Detections.empty()], [found([(0, 0, 9, 9)], [0.5])])
    assert {metrics[name] for name in (*COCO_METRICS, "voc07_ap50")} == {-1.0}


def test_no_pictures_at_all_score_minus_one():
    metrics = detection_metrics([], [])
    assert metrics["ap"] == -1.0
    assert metrics["ap_per_class"] == {}


def test_the_annotated_area_decides_the_size_class():
    truth = [one_box(areas=[500])]  # the box itself has 10,000 square pixels; small ends at 1,024
    metrics = detection_metrics(truth, truth)
    assert metrics["ap_small"] == pytest.approx(1.0, abs=EXACT)
    assert metrics["ap_large"] == -1.0


def test_a_detection_inside_a_crowd_is_no_mistake():
    truth = [
        Detections.ground_truth(
            boxes=[(0, 0, 100, 100), (200, 0, 400, 200)], labels=[0, 0], crowd=[False, True]
        )
    ]
    answers = [found([(210, 10, 260, 60), (0, 0, 100, 100)], [0.9, 0.5])]
    assert detection_metrics(truth, answers)["ap"] == pytest.approx(1.0, abs=EXACT)


def test_only_the_hundred_best_detections_of_a_picture_count():
    wrong = [(500, 500, 510, 510)] * 100
    answers = [found([*wrong, (0, 0, 100, 100)], [0.9] * 100 + [0.1])]
    assert detection_metrics([one_box()], answers)["ar_100"] == 0.0


def test_classes_without_names_are_called_by_number():
    truth = [Detections.ground_truth(boxes=[(0, 0, 9, 9)] * 2, labels=[0, 2])]
    per_class = detection_metrics(truth, truth)["ap_per_class"]
    assert per_class == pytest.approx({"0": 1.0, "1": -1.0, "2": 1.0}, abs=EXACT)


def test_nothing_is_printed(capfd):
    detection_metrics([one_box()], [one_box()])
    assert capfd.readouterr() == ("", "")


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="got 2 and 1"):
        detection_metrics([one_box(), one_box()], [one_box()])


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="boxes, masks; got 'keypoints'"):
        detection_metrics([one_box()], [one_box()], kind="keypoints")


def test_comparing_masks_needs_masks():
    with pytest.raises(ValueError, match='Did you mean kind="boxes"'):
        detection_metrics([one_box()], [one_box()], kind="masks")


def test_masks_of_different_sizes_are_refused():
    small, large = (
        Detections.ground_truth([(0, 0, 4, 4)], [0], masks=np.ones((1, side, side)))
        for side in (4, 8)
    )
    with pytest.raises(ValueError, match="masks of picture 0 must have one size"):
        detection_metrics([small], [large], kind="masks")


def test_less_overlap_may_be_asked_for():
    truth = [Detections.ground_truth([[0, 0, 10, 10]], [0], ("cell",))]
    answers = [Detections(np.array([[0.0, 0, 10, 4]]), np.array([0.9]), np.array([0]))]  # IoU .4
    matched = match_pictures(truth, answers, num_classes=1, overlaps=(0.3, 0.39, 0.41, 0.5))
    everywhere = next(found for found in matched.evalImgs if found is not None)  # of any area
    assert (everywhere["dtMatches"][:, 0] > 0).tolist() == [True, True, False, False]
