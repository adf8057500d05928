"""Models are asked by their kind, and compared within one."""

from types import SimpleNamespace

import numpy as np
import pytest

from zoo import Detections
from zoo.answers import answers_of

pytestmark = pytest.mark.any_backend


def detector(*kinds):
    return SimpleNamespace(kind="detection", result_kinds=kinds)


def test_models_of_two_kinds_are_not_compared():
    other = SimpleNamespace(kind="classification")
    with pytest.raises(ValueError, match="got classification and detection"):
        answers_of(detector("boxes"), other)


def test_masks_count_where_both_models_draw_them():
    assert answers_of(detector("boxes", "masks")).kinds == ["boxes", "masks"]
    assert answers_of(detector("boxes", "masks"), detector("boxes")).kinds == ["boxes"]


def test_an_answer_is_renamed_to_the_labels_of_the_data():
    found = Detections(boxes=np.eye(2, 4), scores=[0.9, 0.8], labels=[1, 0], class_names=("a", "b"))
    renamed = answers_of(detector("boxes")).renamed(found, [2, 0], ("b", "c", "a"))
    assert [renamed.name(label) for label in renamed.labels] == ["b", "a"]
