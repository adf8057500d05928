"""Classification: what one picture shows, as plain NumPy."""

import numpy as np
import pytest

import zoo
from zoo.results import Classification

pytestmark = pytest.mark.any_backend


def test_the_best_classes_come_first():
    found = Classification([0.1, 0.7, 0.2], ("cat", "dog", "cow"))
    assert found.label == 1
    assert found.top(2) == [("dog", pytest.approx(0.7)), ("cow", pytest.approx(0.2))]
    assert len(found.top()) == 3


def test_of_equal_classes_the_lower_label_is_first():
    found = Classification([0.25, 0.25, 0.5, 0.0])
    assert [name for name, _ in found.top(3)] == ["2", "0", "1"]


def test_probabilities_are_copied_and_read_only():
    probabilities = np.array([0.5, 0.5])
    found = zoo.Classification(probabilities)
    probabilities[0] = 1.0
    assert found.probabilities.tolist() == [0.5, 0.5]
    assert found.probabilities.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        found.probabilities[0] = 1


def test_bad_shapes_are_told():
    with pytest.raises(ValueError, match=r"must be \(C,\) of one picture; got \(1, 3\)"):
        Classification([[0.1, 0.2, 0.7]])
    with pytest.raises(ValueError, match="a name for each of 2 probabilities; got 1"):
        Classification([0.5, 0.5], ("cat",))
    with pytest.raises(ValueError, match="k must be at least 1; got 0"):
        Classification([1.0]).top(0)
