"""A classifier's numbers, against scikit-learn's and by hand."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from zoo.draw_confusion import draw_confusion
from zoo.metrics import (
    class_confusion,
    class_table,
    classification_metrics,
    paired_classification_bootstrap,
)
from zoo.results import Classification

pytestmark = pytest.mark.any_backend

NAMES = tuple("abcdefgh")


@pytest.fixture(scope="module")
def scored():
    """Labels of seven of eight classes, and predictions that lean towards them."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 200)
    logits = rng.normal(size=(200, 8)) + 1.5 * np.eye(8)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return labels, [Classification(row, NAMES) for row in probabilities]


def test_they_are_scikit_learns(scored):
    labels, predictions = scored
    probabilities = np.stack([found.probabilities for found in predictions]).astype("float64")
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    got = classification_metrics(labels, predictions)
    every = range(8)
    for name, k in (("top1", 1), ("top5", 5)):
        wanted = sklearn_metrics.top_k_accuracy_score(labels, probabilities, k=k, labels=every)
        assert got[name] == pytest.approx(wanted)
    assert got["cross_entropy"] == pytest.approx(
        sklearn_metrics.log_loss(labels, probabilities, labels=every), rel=1e-5
    )
    precision, recall, _, _ = sklearn_metrics.precision_recall_fscore_support(
        labels, probabilities.argmax(1), labels=every, zero_division=np.nan
    )
    precision, recall = (np.nan_to_num(rates, nan=-1) for rates in (precision, recall))
    assert list(got["precision_per_class"].values()) == pytest.approx(precision)
    assert list(got["accuracy_per_class"].values()) == pytest.approx(recall)
    assert got["accuracy_per_class"]["h"] == -1
    assert got["mean_class_accuracy"] == pytest.approx(recall[:7].mean())


def test_the_confusion_is_scikit_learns(scored):
    labels, predictions = scored
    predicted = [found.label for found in predictions]
    wanted = sklearn_metrics.confusion_matrix(labels, predicted, labels=range(8))
    np.testing.assert_array_equal(class_confusion(labels, predicted, 8), wanted)


def test_the_trivial_answer_is_the_most_frequent_class():
    predictions = [Classification([0.2, 0.8])] * 4
    got = classification_metrics([0, 0, 0, 1], predictions)
    assert (got["top1"], got["trivial_top1"], got["top5"]) == (0.25, 0.75, 1.0)


def test_a_row_tells_what_a_class_is_mistaken_for():
    # Of four cats one is called a dog; of two dogs both are found; there is no cow.
    confusion = np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])
    cat, dog, cow = class_table(confusion, ["cat", "dog", "cow"])
    assert cat == {
        "name": "cat",
        "pictures": 4,
        "accuracy": 0.75,
        "precision": 1.0,
        "mistaken_for": "dog",
    }
    assert (dog["accuracy"], dog["mistaken_for"]) == (1.0, "")
    assert dog["precision"] == pytest.approx(2 / 3)
    assert (cow["accuracy"], cow["precision"], cow["pictures"]) == (-1, -1, 0)


def test_the_bootstrap_knows_a_better_one_from_an_equal_one():
    labels = np.zeros(40, int)
    good, bad = Classification([0.9, 0.1]), Classification([0.1, 0.9])
    mixed = [good] * 30 + [bad] * 10
    assert paired_classification_bootstrap(labels, mixed, mixed) == 0.5
    assert paired_classification_bootstrap(labels, [good] * 40, mixed) > 0.99
    # One picture of lead: a draw of 40 misses it with probability (39/40)**40 = .363, half a win.
    ahead = [good] * 31 + [bad] * 9
    confidence = paired_classification_bootstrap(labels, ahead, mixed, resamples=4000)
    assert confidence == pytest.approx(1 - 0.363 / 2, abs=0.02)


def test_bad_input_is_told():
    with pytest.raises(ValueError, match=r"got 2 and 1. Was a picture skipped\?"):
        classification_metrics([0, 1], [Classification([0.5, 0.5])])
    with pytest.raises(ValueError, match=r"labels must be 0\.\.1; got 0\.\.2"):
        class_confusion([0, 2], [0, 1], 2)
    with pytest.raises(ValueError, match="metric must be top1 or top5; got 'ap'"):
        paired_classification_bootstrap([0], [Classification([1.0])], [], metric="ap")
    with pytest.raises(ValueError, match=r"confusion must be \(2, 2\)"):
        draw_confusion(np.zeros((3, 3), int), ["a", "b"])


def test_the_picture_is_dark_where_the_counts_are():
    confusion = np.diag([5, 5, 5])
    picture = draw_confusion(confusion, ["cat, tabby", "dog", "cow"])
    assert picture.dtype == np.uint8
    assert picture.shape == (375, 375, 3)
    # Blue of the diagonal's three cells, and white of the others.
    blue = (picture[..., 2].astype(int) - picture[..., 0]) > 60
    assert 0.05 < blue.mean() < 0.3
