"""An exported program's answers are the model's, or they are not; figures made by hand."""

import numpy as np
import pytest

from flows.export_check import compare

pytestmark = pytest.mark.any_backend
SIZE = (50, 100)


def detections(boxes, scores, labels):
    """One picture of K padded detections."""
    return {
        "boxes": np.array([boxes], np.float32),
        "scores": np.array([scores], np.float32),
        "labels": np.array([labels], np.int32),
        "num": np.array([sum(label >= 0 for label in labels)], np.int32),
    }


def two(**changes):
    boxes = [[0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9], [0, 0, 0, 0]]
    return detections(boxes, [0.9, 0.4, 0.0], [1, 0, -1]) | changes


def test_equal_detections_are_the_same():
    agreed = compare("detection", two(), two(), SIZE)
    assert agreed.same
    assert agreed.compared == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"boxes": two()["boxes"] + np.float32(0.01)},
        {"scores": np.array([[0.9, 0.41, 0.0]], np.float32)},
        {"labels": np.array([[1, 1, -1]], np.int32)},
        {"num": np.array([1], np.int32)},
    ],
    ids=["moved by a pixel", "another score", "another class", "one fewer"],
)
def test_detections_that_differ_are_not(changes):
    agreed = compare("detection", two(), two(**changes), SIZE)
    assert not agreed.same
    assert "of 2 detections" in agreed.told


def test_what_scores_next_to_nothing_does_not_count():
    faint = two(scores=np.array([[0.9, 0.05, 0.0]], np.float32))
    agreed = compare("detection", faint, faint | {"num": np.array([1], np.int32)}, SIZE)
    assert agreed.same
    assert agreed.compared == 1


def test_a_mask_that_differs_is_told():
    masks = np.zeros((1, 3, 4, 4), np.float32)
    other = masks.copy()
    other[0, 1] = 0.5
    first, second = two() | {"masks": masks}, two() | {"masks": other}
    assert compare("detection", first, first, SIZE).same
    agreed = compare("detection", first, second, SIZE)
    assert not agreed.same
    assert "masks differ by 0.5" in agreed.told


def test_another_shape_is_told_with_both():
    shorter = {name: rows[:, :2] if rows.ndim > 1 else rows for name, rows in two().items()}
    agreed = compare("detection", two(), shorter, SIZE)
    assert agreed.told == "boxes has the shape (1, 2, 4) instead of (1, 3, 4)"
    assert not agreed.same


def test_class_maps_are_compared_by_pixels():
    classes = np.zeros((1, 10, 10), np.int32)
    other = classes.copy()
    other[0, :2] = 1  # a fifth of the pixels
    scores = np.full((1, 10, 10), 0.8, np.float32)
    first = {"classes": classes, "scores": scores}
    assert compare("segmentation", first, first, SIZE).same
    agreed = compare("segmentation", first, {"classes": other, "scores": scores}, SIZE)
    assert not agreed.same
    assert agreed.told.startswith("80.00% of the pixels")


def test_probabilities_may_differ_by_rounding_only():
    first = {"probabilities": np.array([[0.2, 0.8]], np.float32)}
    close, far = (
        {"probabilities": first["probabilities"] + np.array([d, -d], np.float32)}
        for d in (1e-4, 1e-2)
    )
    assert compare("classification", first, close, SIZE).same
    assert not compare("classification", first, far, SIZE).same


def test_paintings_are_compared_by_levels():
    first = {"painted": np.full((1, 4, 4, 3), 100, np.float32)}
    assert compare("style", first, {"painted": first["painted"] + 0.1}, SIZE).same
    assert not compare("style", first, {"painted": first["painted"] + 5}, SIZE).same
