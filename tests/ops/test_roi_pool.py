import numpy as np
import pytest
from compilation import compiled, gradient
from keras import ops
from roi_reference import WILD, odd_rois, pool

from zoo.ops import roi_pool


def run(features, rois, size, scale=1.0):
    quick = compiled(lambda f, r: roi_pool(f, r, size, scale))
    return ops.convert_to_numpy(quick(*map(ops.convert_to_tensor, (features, rois))))


def test_the_books_example():
    # The book 13.8.2: X = arange(16) as 4x4, two regions, 2x2 bins, scale .1.
    features = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    rois = np.float32([[[0, 0, 20, 20], [0, 10, 30, 30]]])
    crops = run(features, rois, (2, 2), 0.1)[0, ..., 0]
    assert crops.tolist() == [[[5, 6], [9, 10]], [[9, 11], [13, 15]]]


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (7, 7)])
@pytest.mark.parametrize("shape", [(6, 9), (1, 1), (16, 3)])
def test_it_is_the_loop(shape, size):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, *shape, 3)).astype("float32")
    rois = odd_rois(rng, 2, 2 * shape[0], 2 * shape[1])
    np.testing.assert_array_equal(run(features, rois, size, 0.5), pool(features, rois, size, 0.5))


def test_halves_round_away_from_zero():
    # C's rounding takes .5 to cell 1 and 2.5 to 3; to the even number it would be 0 and 2.
    features = np.arange(5, dtype="float32").reshape(1, 1, 5, 1)
    rois = np.float32([[[0.5, 0, 2.5, 0]]])
    assert run(features, rois, (1, 3)).ravel().tolist() == [1, 2, 3]


def test_a_bin_ends_where_it_should_on_57_cells():
    # In float32 7 * (57 / 7) is more than 57, and the last bin would take the next cell too.
    features = np.arange(60, dtype="float32").reshape(1, 1, 60, 1)
    assert run(features, np.float32([[[0, 0, 56, 0]]]), (1, 7)).ravel()[-1] == 56


def test_bins_outside_the_map_are_zero():
    features = np.full((1, 4, 4, 1), -3, "float32")
    rois = np.float32([[[10, 10, 20, 20], [2, 2, 5, 5]]])
    crops = run(features, rois, (2, 2))[0, ..., 0]
    assert crops.tolist() == [[[0, 0], [0, 0]], [[-3, 0], [0, 0]]]


def test_wild_rois_give_no_nan():
    features, rois = (
        np.random.default_rng(0).normal(size=(1, 5, 6, 2)).astype("float32"),
        WILD[None],
    )
    assert np.isfinite(run(features, rois, (2, 2))).all()
    assert np.isfinite(gradient(compiled(lambda f: roi_pool(f, rois, 2)), features)).all()


def test_the_gradient_goes_to_the_largest_of_each_bin():
    rng = np.random.default_rng(0)
    features = rng.permutation(30).astype("float32").reshape(1, 5, 6, 1)
    rois = np.float32([[[0, 0, 5, 4], [1, 1, 3, 2]]])
    # No value comes twice, so a value's slope is the number of bins that answer it.
    crops = pool(features, rois, (2, 2), 1.0)
    expected = (features[..., None] == crops.ravel()).sum(-1)
    slope = gradient(compiled(lambda f: roi_pool(f, rois, (2, 2))), features)
    np.testing.assert_array_equal(slope, expected)


def test_the_gradient_is_the_slope():
    rng = np.random.default_rng(1)
    # Values lie at least 1 apart, so that a step of a quarter changes no bin's largest.
    features = rng.permutation(2 * 4 * 5 * 2).astype("float32").reshape(2, 4, 5, 2)
    rois = odd_rois(rng, 2, 4, 5)

    def total(values):
        return pool(values, rois, (2, 3), 1.0).sum()

    slopes = []
    for place in np.ndindex(features.shape):
        step = np.zeros_like(features)
        step[place] = 0.25
        slopes.append((total(features + step) - total(features - step)) / 0.5)
    found = gradient(compiled(lambda f: roi_pool(f, rois, (2, 3))), features)
    np.testing.assert_allclose(found, np.reshape(slopes, features.shape), atol=1e-3)
