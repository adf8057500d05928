import sys

import keras
import numpy as np
import pytest
from compilation import compiled, gradient
from keras import ops
from roi_reference import WILD, align, odd_rois

from zoo.ops import multilevel_roi_align, roi_align, roi_matrices

MODULE = sys.modules[roi_align.__module__]  # its name is the function's, which hides it


@pytest.fixture(params=["matrices", "gathering"])
def way(request, monkeypatch):
    """Both ways to the result, whatever the sizes say."""
    cost = float("inf") if request.param == "matrices" else 0
    monkeypatch.setattr(MODULE, "GATHER_COST", cost)
    return request.param


@pytest.fixture(params=[1 << 23, 50])
def chunk(request, monkeypatch):
    """All RoIs at once, and few at a time."""
    monkeypatch.setattr(MODULE, "CHUNK", request.param)
    monkeypatch.setattr(roi_matrices, "STRIPS", request.param)


def run(function, *arrays):
    return ops.convert_to_numpy(compiled(function)(*map(ops.convert_to_tensor, arrays)))


def random_features(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize(("aligned", "first"), [(True, 4.5), (False, 7.5)])
def test_first_value_on_a_ramp(aligned, first, way):
    # The first sample lies a quarter of a cell inside (1, 1): at 5 * 1.25 + 1.25 = 7.5 if cells
    # are points, and half a cell before that in both directions, at 4.5, if they are squares.
    ramp = np.arange(25, dtype="float32").reshape(1, 5, 5, 1)
    rois = np.float32([[[1, 1, 3, 3]]])
    crop = run(lambda f, r: roi_align(f, r, 4, sampling_ratio=1, aligned=aligned), ramp, rois)
    assert crop.shape == (1, 1, 4, 4, 1)
    assert crop[0, 0, 0, 0, 0] == first


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("samples", "size"), [(1, (3, 3)), (2, (3, 4)), (3, (2, 1))])
def test_it_is_the_loop(samples, size, aligned, way, chunk):
    features, rois = random_features(2, 6, 9, 3), odd_rois(np.random.default_rng(0), 2, 12, 18)
    expected = align(features, rois, size, 0.5, samples, aligned)
    crops = run(lambda f, r: roi_align(f, r, size, 0.5, samples, aligned), features, rois)
    # Positions are float32: an error of 1e-6 cells inside the map, 1e-5 in a RoI of ten maps.
    np.testing.assert_allclose(crops, expected, atol=3e-5)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="eager JAX compiles each operation")
def test_it_is_the_loop_eagerly(way):
    features, rois = random_features(2, 6, 9, 3), odd_rois(np.random.default_rng(0), 2, 12, 18)
    expected = align(features, rois, (2, 2), 0.5, 2, True)
    crops = ops.convert_to_numpy(roi_align(features, rois, 2, 0.5))
    np.testing.assert_allclose(crops, expected, atol=3e-5)


def test_wild_rois_give_no_nan(way):
    features, rois = random_features(1, 6, 9, 3), WILD[None]
    assert np.isfinite(run(lambda f, r: roi_align(f, r, 2), features, rois)).all()
    assert np.isfinite(gradient(compiled(lambda f: roi_align(f, rois, 2)), features)).all()


def test_gradient_is_the_slope(way, chunk):
    features, rois = random_features(1, 4, 5, 1), np.float32([[[0.5, 0.2, 4, 3.6], [2, 1, 9, 9]]])
    weights = random_features(1, 2, 2, 3, 1, seed=1)

    def value(f):
        return ops.multiply(weights, roi_align(f, rois, (2, 3)))

    slope = gradient(compiled(value), features)
    expected = np.zeros(features.shape)
    # RoIAlign is linear, so a whole step measures the slope, without the error of a small one.
    for place in np.ndindex(*features.shape):
        step = np.zeros(features.shape)
        step[place] = 1.0
        expected[place] = (weights * align(step, rois, (2, 3), 1.0, 2, True)).sum()
    np.testing.assert_allclose(slope, expected, atol=1e-5)


def test_rois_get_no_gradient(way):
    features = random_features(1, 4, 5, 1)

    def value(rois):
        return ops.sum(roi_align(features, rois, 2)) + ops.sum(rois)

    slope = gradient(compiled(value), np.float32([[[0.5, 0.2, 4, 3.6]]]))
    np.testing.assert_array_equal(slope, np.ones((1, 1, 4)))


@pytest.mark.parametrize("aligned", [True, False])
def test_each_roi_is_read_from_its_level(aligned, chunk):
    rng = np.random.default_rng(2)
    maps, rois = (
        [random_features(2, 8, 12, 3), random_features(2, 4, 6, 3)],
        odd_rois(rng, 2, 8, 12),
    )
    levels = rng.integers(0, 2, rois.shape[:2]).astype("int32")
    crops = run(
        lambda fine, coarse, r, k: multilevel_roi_align(
            [fine, coarse], r, 3, spatial_scales=[1.0, 0.5], levels=k, aligned=aligned
        ),
        *maps,
        rois,
        levels,
    )
    fine, coarse = (
        align(level, rois, (3, 3), scale, 2, aligned)
        for level, scale in zip(maps, (1, 0.5), strict=True)
    )
    expected = np.where(levels[..., None, None, None] == 0, fine, coarse)
    np.testing.assert_allclose(crops, expected, atol=3e-5)


def test_bfloat16_features_keep_their_dtype_and_exact_positions(way):
    # At 200 cells bfloat16 knows whole positions only; the crop of a ramp would be off by one half.
    ramp = np.tile(np.arange(4, dtype="float32")[:, None] / 4, (1, 256))[None, ..., None]
    rois = np.float32([[[200.25, 0.75, 202.25, 2.75]]])
    crop = compiled(lambda f: roi_align(f, rois, 1))(ops.cast(ramp, "bfloat16"))
    assert keras.backend.standardize_dtype(crop.dtype) == "bfloat16"
    # The mean of rows .75 and 1.75 of i / 4; half of bfloat16's last digit below 1/2 is 1e-3.
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(crop, "float32")), 0.3125, atol=2e-3)


def test_rois_without_a_batch_axis_are_refused():
    with pytest.raises(ValueError, match="Does each image have its own row of RoIs"):
        roi_align(np.zeros((1, 4, 4, 1)), np.zeros((5, 4)), 2)


def test_a_sampling_ratio_of_zero_is_refused():
    with pytest.raises(ValueError, match="Shapes are static"):
        roi_align(np.zeros((1, 4, 4, 1)), np.zeros((1, 5, 4)), 2, sampling_ratio=0)


def test_every_level_needs_a_scale():
    maps, rois = [np.zeros((1, 4, 4, 1))] * 2, np.zeros((1, 5, 4))
    levels = np.zeros((1, 5), "int32")
    with pytest.raises(ValueError, match="a number a level; got 1 for 2"):
        multilevel_roi_align(maps, rois, 2, spatial_scales=[1.0], levels=levels)
