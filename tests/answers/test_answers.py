"""Models are asked by their kind, and compared within one."""

from types import SimpleNamespace

import numpy as np
import pytest

from zoo import Classification, Detections, Segmentation
from zoo.answers import answers_of

pytestmark = pytest.mark.any_backend


def detector(*kinds):
    return SimpleNamespace(kind="detection", result_kinds=kinds)


def test_models_of_two_kinds_are_not_compared():
    other = SimpleNamespace(kind="classification")
    with pytest.raises(ValueError, match="got classification and detection"):
        answers_of(detector("boxes"), other)


def test_a_model_that_optimises_has_nothing_to_score():
    with pytest.raises(ValueError, match="zoo stylize"):
        answers_of(SimpleNamespace(kind="style"))


def test_masks_count_where_both_models_draw_them():
    assert answers_of(detector("boxes", "masks")).kinds == ["boxes", "masks"]
    assert answers_of(detector("boxes", "masks"), detector("boxes")).kinds == ["boxes"]


def test_an_answer_is_renamed_to_the_labels_of_the_data():
    found = Detections(boxes=np.eye(2, 4), scores=[0.9, 0.8], labels=[1, 0], class_names=("a", "b"))
    renamed = answers_of(detector("boxes")).renamed(found, [2, 0], ("b", "c", "a"))
    assert [renamed.name(label) for label in renamed.labels] == ["b", "a"]


def test_objects_are_told_by_class():
    found = Detections(np.zeros((3, 4)), scores=[1, 1, 1], labels=[1, 0, 1], class_names=("a", "b"))
    assert answers_of(detector("boxes")).told(found) == "1 a, 2 b"
    assert answers_of(detector("boxes")).told(Detections.empty()) == "nothing"


def classifier_scores(*answers):
    """The sheet of pictures of class 0, 0 and 1 of three, with these probabilities."""
    names = ("cat", "dog", "fox")
    sheet = answers_of(SimpleNamespace(kind="classification")).scores(names)
    for label, probabilities in zip((0, 0, 1), answers, strict=True):
        sheet.add(label, Classification(probabilities, names))
    return sheet


def test_classes_are_scored_beside_the_most_frequent_one():
    sheet = classifier_scores([0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.1, 0.6, 0.3])
    assert sheet.metrics()["top1"] == pytest.approx(2 / 3)
    assert sheet.trivial()["top1"] == pytest.approx(2 / 3)
    assert sheet.metrics()["accuracy_per_class"] == {"cat": 0.5, "dog": 1.0, "fox": -1.0}
    assert sheet.metrics().keys() == sheet.trivial().keys()
    assert sheet.mistaken_for() == {"cat": "dog", "dog": "", "fox": ""}
    assert sheet.picture().ndim == 3


def test_the_better_classifier_wins_most_draws():
    right = classifier_scores([0.8, 0.2, 0.0], [0.8, 0.2, 0.0], [0.1, 0.6, 0.3])
    wrong = classifier_scores([0.2, 0.8, 0.0], [0.2, 0.8, 0.0], [0.6, 0.1, 0.3])
    assert right.confidence(wrong, "top1") == 1.0
    assert right.confidence(right, "top1") == 0.5


def test_a_classification_is_renamed_and_written_in_the_labels_of_the_data():
    answers = answers_of(SimpleNamespace(kind="classification"))
    renamed = answers.renamed(Classification([0.7, 0.3], ("a", "b")), [1, 0], ("b", "a"))
    assert renamed.top(1) == [("a", pytest.approx(0.7))]
    assert answers.told(renamed) == "a 0.70, b 0.30"
    assert answers.rows(renamed, 5)[0] == {
        "image_id": 5,
        "category_id": 1,
        "name": "a",
        "score": pytest.approx(0.7),
    }


def pixels(*maps):
    """The sheet of two class maps of 2x2 pixels, answered by these."""
    sheet = answers_of(SimpleNamespace(kind="segmentation")).scores(("ground", "ball"))
    truths = np.array([[[0, 0], [0, 1]], [[0, 0], [255, 1]]])
    for truth, answer in zip(truths, maps, strict=True):
        sheet.add(truth, Segmentation(np.array(answer)))
    return sheet


def test_pixels_are_scored_beside_the_most_frequent_class():
    right, ground = [[0, 0], [0, 1]], [[0, 0], [0, 0]]
    sheet = pixels(right, ground)
    # Seven pixels count: 5 ground, all found, with one ball called so; 2 balls, one found.
    assert sheet.metrics()["pixel_accuracy"] == pytest.approx(6 / 7)
    assert sheet.metrics()["miou"] == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert sheet.trivial()["miou"] == pytest.approx((5 / 7 + 0) / 2)
    assert sheet.metrics().keys() == sheet.trivial().keys()
    assert sheet.mistaken_for() == {"ground": "", "ball": "ground"}
    assert pixels(right, right).confidence(pixels(ground, ground), "miou") == 1.0


def test_a_class_map_is_renamed_and_written_as_run_lengths():
    answers = answers_of(SimpleNamespace(kind="segmentation"))
    found = Segmentation(np.array([[0, 1], [1, 1]]), class_names=("ball", "ground"))
    renamed = answers.renamed(found, [1, 0], ("ground", "ball"))
    assert renamed.classes.tolist() == [[1, 0], [0, 0]]
    assert answers.told(renamed) == "ground 75.0%, ball 25.0%"
    rows = answers.rows(renamed, 3)
    assert [row["category_id"] for row in rows] == [0, 1]
    assert rows[0]["segmentation"]["size"] == [2, 2]


def test_truth_is_drawn_beside_the_answer():
    answers = answers_of(SimpleNamespace(kind="segmentation"))
    found = Segmentation(np.ones((20, 30), int), class_names=("ground", "ball"))
    drawn = answers.draw(np.zeros((20, 30, 3), np.uint8), found, np.zeros((20, 30), np.uint8))
    assert drawn.shape == (20, 60, 3)
    assert drawn[:, 31:].max() == 0
