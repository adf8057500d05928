"""What a program takes and gives, and what cannot be one."""

import pytest
from cases import small_classifier, small_fast_rcnn, small_fcn, small_mask_rcnn

import zoo
from zoo.export import TensorSpec, signature_of

pytestmark = pytest.mark.any_backend


def test_a_classifier_takes_pictures_and_gives_probabilities():
    signature = signature_of(small_classifier())
    assert signature.inputs == {"images": TensorSpec((1, 32, 32, 3), "uint8")}
    assert signature.outputs == ("probabilities",)


def test_a_model_without_proposals_of_its_own_takes_them_as_a_second_input():
    signature = signature_of(small_fast_rcnn(), batch=2)
    assert signature.inputs["proposals"] == TensorSpec((2, 48, 4), "float32")


def test_masks_are_among_the_outputs():
    assert "masks" in signature_of(small_mask_rcnn()).outputs


def test_a_network_of_any_size_takes_the_one_that_is_asked_for():
    signature = signature_of(small_fcn(), image_size=(96, 128))
    assert signature.inputs["images"].shape == (1, 96, 128, 3)


def test_a_detector_keeps_its_size():
    with pytest.raises(ValueError, match=r"input of 64x64 pixels.*got 96x96"):
        signature_of(small_fast_rcnn(), image_size=(96, 96))


def test_an_optimisation_is_refused_with_the_reason():
    layers = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1"]}
    with pytest.raises(ValueError, match="fits the pixels of one picture step by step"):
        signature_of(zoo.create("style_transfer", **layers))
