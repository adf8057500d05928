"""Proposals from the picture alone."""

import keras
import numpy as np
import pytest
from cases import squares

import zoo
from zoo.layers import SelectiveSearch

pytestmark = pytest.mark.any_backend


def best_overlap(proposals, box):
    iou = zoo.ops.pairwise_iou(proposals, np.asarray(box, "float32")[None])
    return float(keras.ops.convert_to_numpy(iou).max())


def test_a_square_on_noise_is_proposed():
    images, labels = squares(3, seed=1)
    for picture, boxes in zip(images, labels["boxes"], strict=True):
        assert best_overlap(SelectiveSearch(side=64)(picture), boxes[0]) > 0.9


def test_proposals_are_fractions_padded_with_zeros():
    images, _ = squares(1)
    proposals = SelectiveSearch(count=300, side=64)(images[0])
    assert proposals.shape == (300, 4)
    assert proposals.dtype == np.float32
    found = proposals.any(axis=1)
    assert 0 < found.sum() < 300
    assert found[: found.sum()].all()
    assert proposals.max() <= 1
    assert (proposals[found, 2:] > proposals[found, :2]).all()


def test_the_same_picture_gives_the_same_proposals():
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    search = SelectiveSearch(count=20, side=120)  # fewer than there are, so a draw decides
    np.testing.assert_array_equal(search(picture), search(picture))


def test_a_large_picture_is_searched_small():
    picture = squares(1)[0][0].repeat(8, axis=0).repeat(8, axis=1)
    _, labels = squares(1)
    assert best_overlap(SelectiveSearch(side=64)(picture), labels["boxes"][0, 0]) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (2, 400)])
def test_small_pictures_are_searched_too(size):
    assert SelectiveSearch()(np.zeros((*size, 3), "uint8")).shape == (500, 4)


def test_it_is_made_anew_from_its_config():
    search = SelectiveSearch(count=7, mode="quality", side=99, smallest=0.1)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(search))
    assert twin.get_config() == search.get_config()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "quick"}, "mode must be one of fast, quality; got 'quick'"),
        ({"count": 0}, "count must be at least 1, .* got 0, 300 and 0.02"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SelectiveSearch(**options)
