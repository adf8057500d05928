"""The weights of a model for another of its preset."""

import numpy as np
import pytest
from cases import small_classifier

import zoo
from zoo.models import take_weights


def test_all_weights_are_taken_over_where_the_classes_are_as_many():
    donor, task = small_classifier(), small_classifier()
    told = take_weights(task, donor)
    for ours, theirs in zip(task.get_weights(), donor.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert told == f"{len(task.weights)} of {len(task.weights)} weights are taken over"


def test_a_head_for_other_classes_stays_as_it_is():
    donor, task = small_classifier(), small_classifier(class_names=["a", "b", "c", "d", "e"])
    before = task.head.output_layer.get_weights()
    told = take_weights(task, donor)
    np.testing.assert_array_equal(task.head.output_layer.get_weights()[0], before[0])
    np.testing.assert_array_equal(task.backbone.get_weights()[0], donor.backbone.get_weights()[0])
    assert told.count("head") == 2
    assert "; fresh: " in told


def test_models_of_different_presets_are_refused():
    with pytest.raises(ValueError, match="weights are taken over between models of one preset"):
        take_weights(small_classifier(), zoo.create("tiny_ssd", num_classes=1, image_size=64))
