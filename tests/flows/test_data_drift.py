"""What is said of data that changed, by hand-worked numbers."""

import pytest

from flows.data_drift import DataReport, total_variation

pytestmark = pytest.mark.any_backend

NOTHING_WRONG = {"train": {"kinds": {}, "listed": []}}


def counts(pictures=4, **classes):
    return {"train": {"pictures": pictures, "classes": classes}}


def test_the_distance_is_half_the_sum_of_the_differences():
    assert total_variation({"a": 1, "b": 1}, {"a": 3, "b": 1}) == pytest.approx(0.25)
    assert total_variation({"a": 2, "b": 2}, {"a": 5, "b": 5}) == 0
    assert total_variation({"a": 7}, {"b": 1}) == 1


def test_nothing_is_as_far_from_something_as_can_be():
    assert total_variation({}, {"a": 1}) == 1
    assert total_variation({"a": 0}, {}) == 0


def test_classes_come_and_go():
    report = DataReport(counts(cat=1, cow=1), counts(cat=1, dog=1), NOTHING_WRONG)
    assert report.news() == [
        "new classes: cow",
        "classes that are gone: dog",
        "train: the shares of the classes moved by 0.50",
    ]


def test_without_a_champion_there_is_nothing_to_compare_with():
    report = DataReport(counts(cat=1), None, NOTHING_WRONG)
    assert report.news() == []
    assert report.drift() == {}
    assert "| cat | - | 1 | - | 100.0% |" in report.markdown()


def test_the_same_data_have_no_news():
    assert DataReport(counts(cat=1), counts(cat=1), NOTHING_WRONG).news() == []


def test_defects_are_counted_and_the_first_ones_shown():
    wrong = {"train": {"kinds": {"empty_box": 2}, "listed": ["a.xml:3: no | area"]}}
    report = DataReport(counts(cat=1), None, wrong)
    assert report.news() == ["train: 2 defects are left out (empty_box 2)"]
    assert "- a.xml:3: no / area" in report.markdown()


def test_the_table_has_both_sides():
    text = DataReport(counts(6, cat=3, dog=1), counts(2, cat=1, dog=1), NOTHING_WRONG).markdown()
    assert "**train**: 6 pictures, 2 before, drift 0.250" in text
    assert "| dog | 1 | 1 | 50.0% | 25.0% |" in text
