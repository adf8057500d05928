"""Scores of class maps against a hand-made example, a slow loop and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from zoo.metrics import (
    confusion_matrix,
    metrics_of_confusion,
    paired_segmentation_bootstrap,
    segmentation_metrics,
)

pytestmark = pytest.mark.any_backend

NAMES = ("ground", "cat", "dog", "emu")


def pictures(seed, count=3, classes=4):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 9, (count, 2))
    truths = [random.choice([*range(classes), 255], size) for size in sizes]
    return truths, [random.integers(0, classes, size) for size in sizes]


def slow_metrics(truths, predictions, classes):
    """The paper's formulas, a pixel at a time."""
    pairs = [
        (int(t), int(p))
        for truth, answer in zip(truths, predictions, strict=True)
        for t, p in zip(truth.ravel(), answer.ravel(), strict=True)
        if t != 255
    ]
    ious, accuracies, weighted = [], [], 0.0
    for label in range(classes):
        both = sum(t == label == p for t, p in pairs)
        true, answered = sum(t == label for t, _ in pairs), sum(p == label for _, p in pairs)
        if true:
            accuracies.append(both / true)
        if true + answered:
            ious.append(both / (true + answered - both))
            weighted += true / len(pairs) * ious[-1]
    return {
        "pixel_accuracy": sum(t == p for t, p in pairs) / len(pairs),
        "mean_accuracy": sum(accuracies) / len(accuracies),
        "miou": sum(ious) / len(ious),
        "frequency_weighted_iou": weighted,
    }


def test_example_computed_by_hand():
    truth = np.array([[0, 0, 0, 0], [0, 1, 1, 255]])
    answer = np.array([[0, 0, 0, 1], [2, 1, 1, 2]])
    found = segmentation_metrics([truth], [answer], NAMES)
    # ground: 3 right of 5 + 3 - 3; cat: 2 right of 2 + 3 - 2; dog: answered once, never there
    iou = {"ground": 3 / 5, "cat": 2 / 3, "dog": 0.0, "emu": -1.0}
    assert found.pop("iou_per_class") == pytest.approx(iou)
    assert found == pytest.approx(
        {
            "pixel_accuracy": 5 / 7,
            "mean_accuracy": (3 / 5 + 2 / 2) / 2,
            "miou": (3 / 5 + 2 / 3 + 0) / 3,
            "frequency_weighted_iou": 5 / 7 * 3 / 5 + 2 / 7 * 2 / 3,
            "trivial_pixel_accuracy": 5 / 7,
            "trivial_miou": 5 / 7 / 2,
        }
    )


@given(st.integers(0, 10**6))
def test_metrics_equal_a_loop_over_pixels_and_scikit_learn(seed):
    truths, predictions = pictures(seed)
    if all((truth == 255).all() for truth in truths):
        return
    found = segmentation_metrics(iter(truths), iter(predictions), NAMES)
    for name, value in slow_metrics(truths, predictions, 4).items():
        assert found[name] == pytest.approx(value), name
    truth, answer = (
        np.concatenate([one.ravel() for one in some]) for some in (truths, predictions)
    )
    answer, truth = answer[truth != 255], truth[truth != 255]
    iou = jaccard_score(truth, answer, labels=range(4), average=None, zero_division=0)
    present = np.union1d(truth, answer)
    names = [NAMES[label] for label in present]
    assert [found["iou_per_class"][name] for name in names] == pytest.approx(iou[present])


@given(st.integers(0, 10**6))
def test_trivial_scores_are_those_of_the_most_frequent_class_everywhere(seed):
    truths, _ = pictures(seed)
    counts = np.bincount(np.concatenate([t[t != 255] for t in truths]), minlength=1)
    answers = [np.full(truth.shape, counts.argmax()) for truth in truths]
    found = segmentation_metrics(truths, answers, NAMES)
    if counts.any():
        assert found["trivial_pixel_accuracy"] == pytest.approx(found["pixel_accuracy"])
        assert found["trivial_miou"] == pytest.approx(found["miou"])


def test_perfect_answer_scores_one_and_nothing_to_score_minus_one():
    truth = np.array([[0, 3], [1, 1]])
    found = segmentation_metrics([truth], [truth], NAMES)
    assert {found[name] for name in ("pixel_accuracy", "mean_accuracy", "miou")} == {1.0}
    nothing = segmentation_metrics([np.full((2, 2), 255)], [truth], NAMES)
    assert set(nothing["iou_per_class"].values()) == {-1.0}
    assert nothing["miou"] == nothing["pixel_accuracy"] == nothing["frequency_weighted_iou"] == -1.0


def test_confusion_counts_truth_in_rows():
    confusion = confusion_matrix(np.array([[0, 0, 1]]), np.array([[0, 1, 1]]), 2)
    assert confusion.tolist() == [[1, 1], [0, 1]]
    assert metrics_of_confusion(confusion, ("a", "b"))["mean_accuracy"] == 0.75


@pytest.mark.parametrize(
    ("truths", "predictions", "message"),
    [
        (
            [np.zeros((2, 2))],
            [np.zeros((2, 3))],
            r"one size; got \(2, 2\) and \(2, 3\)\. Is the",
        ),
        ([np.zeros((2, 2, 1))], [np.zeros((2, 2, 1))], r"must be \(h, w\), of one size; got"),
        ([np.zeros((2, 2))] * 2, [np.zeros((2, 2))], "one of them ended before the other"),
        ([np.zeros((2, 2))], [np.full((2, 2), 4)], r"prediction's classes must be 0\.\.3; got 4"),
        ([np.full((2, 2), -1)], [np.zeros((2, 2))], r"truth's classes must be 0\.\.3; got -1"),
    ],
)
def test_odd_input_is_refused(truths, predictions, message):
    with pytest.raises(ValueError, match=message):
        segmentation_metrics(truths, predictions, NAMES)


def test_bootstrap_knows_the_better_from_the_worse():
    truths, answers = pictures(3, count=30)
    good = [np.where(truth == 255, 0, truth) for truth in truths]
    confusions = [
        np.array([confusion_matrix(t, p, 4) for t, p in zip(truths, some, strict=True)])
        for some in (good, answers)
    ]
    options = {"resamples": 100}
    assert paired_segmentation_bootstrap(*confusions, **options) == 1.0
    assert paired_segmentation_bootstrap(*confusions[::-1], **options) == 0.0
    assert paired_segmentation_bootstrap(confusions[0], confusions[0], **options) == 0.5


def test_bootstrap_refuses_what_cannot_be_compared():
    one = np.ones((2, 3, 3), int)
    with pytest.raises(ValueError, match=r"same pictures; got \(2, 3, 3\) and \(1, 3, 3\)"):
        paired_segmentation_bootstrap(one, one[:1])
    with pytest.raises(ValueError, match=r"metric must be one of pixel_accuracy, .* got 'ap'"):
        paired_segmentation_bootstrap(one, one, metric="ap")
