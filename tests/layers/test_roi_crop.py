import numpy as np
import pytest
from cases import compiled
from keras import ops

from zoo.layers import RoICrop
from zoo.ops import assign_levels, multilevel_roi_align, roi_align, roi_pool

PICTURE = (64, 96)  # height, width
PIXELS = np.float32([96, 64, 96, 64])


def pyramid(strides=(4, 8), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(2, 64 // s, 96 // s, 3)).astype("float32") for s in strides]


def rois(count=6):
    rng = np.random.default_rng(1)
    corners, sizes = rng.uniform(0, 0.7, (2, count, 2)), rng.uniform(0.05, 0.9, (2, count, 2))
    return np.concatenate([corners, corners + sizes], axis=-1).astype("float32")


def crop(layer, features):
    call = compiled(lambda f, r: layer(f, r, image_size=PICTURE))
    return ops.convert_to_numpy(call(features, rois()))


def test_one_level_is_aligned_at_its_stride():
    level = pyramid()[1]
    expected = roi_align(level, rois() * PIXELS, (3, 2), 1 / 8, 3, aligned=False)
    layer = RoICrop((3, 2), sampling_ratio=3, aligned=False)
    for features in (level, [level]):
        np.testing.assert_allclose(crop(layer, features), expected, atol=1e-5)


def test_pooling_at_the_levels_stride():
    level = pyramid()[1]
    expected = roi_pool(level, rois() * PIXELS, 2, 1 / 8)
    np.testing.assert_array_equal(crop(RoICrop(2, kind="pool"), level), expected)


def test_on_a_pyramid_the_size_chooses_the_level():
    maps, boxes = pyramid(), rois() * PIXELS
    levels = assign_levels(boxes, min_level=2, max_level=3, canonical_size=100)
    assert set(ops.convert_to_numpy(levels).ravel().tolist()) == {0, 1}
    expected = multilevel_roi_align(maps, boxes, 2, spatial_scales=[1 / 4, 1 / 8], levels=levels)
    np.testing.assert_allclose(crop(RoICrop(2, canonical_size=100), maps), expected, atol=1e-5)


def test_pooling_of_a_pyramid_is_refused():
    with pytest.raises(ValueError, match="RoI pooling reads one level; got 2"):
        RoICrop(2, kind="pool")(pyramid(), rois(), image_size=PICTURE)


def first_alike(kind):
    """Of RoIs on cells of 8 pixels: the third lies in the cells of the first, as the last does."""
    pixels = np.float32([[9, 9, 39, 31], [4, 9, 40, 40], [10, 10, 41, 33], [8, 8, 40, 32]])
    layer, (_, features) = RoICrop(2, kind=kind), pyramid()
    call = compiled(lambda f, r: layer.first_alike(f, r, image_size=PICTURE))
    return ops.convert_to_numpy(call(features, np.stack([pixels, pixels[::-1]]) / PIXELS))


def test_regions_of_the_same_cells_are_pooled_alike():
    np.testing.assert_array_equal(first_alike("pool"), [[0, 1, 0, 0], [0, 0, 2, 0]])


def test_every_region_is_aligned_for_itself():
    np.testing.assert_array_equal(first_alike("align"), [[0, 1, 2, 3], [0, 1, 2, 3]])


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be 'align' or 'pool'; got 'crop'"):
        RoICrop(2, kind="crop")


def test_the_batch_size_may_be_unknown():
    import keras

    maps = pyramid()
    inputs = [keras.Input(level.shape[1:]) for level in maps], keras.Input((6, 4))
    outputs = RoICrop(2)(*inputs, image_size=PICTURE)
    assert outputs.shape == (None, 6, 2, 2, 3)
    model = keras.Model([*inputs[0], inputs[1]], outputs)
    answer = model.predict([*maps, rois()], verbose=0)
    np.testing.assert_allclose(answer, crop(RoICrop(2), maps), atol=1e-5)


def test_the_configuration_is_whole():
    layer = RoICrop((3, 2), "pool", 3, False, 100, dtype="mixed_bfloat16", name="crop")
    twin = RoICrop.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert (twin.output_size, twin.kind, twin.sampling_ratio) == ((3, 2), "pool", 3)
    assert (twin.aligned, twin.canonical_size) == (False, 100)


def test_mixed_precision_crops_in_bfloat16_where_float32_would():
    low = crop_in_float32(RoICrop(2, dtype="mixed_bfloat16"), pyramid())
    # Values lie within +-4; bfloat16 keeps 8 bits of features, weights and sums.
    np.testing.assert_allclose(low, crop(RoICrop(2), pyramid()), atol=0.05)


def crop_in_float32(layer, features):
    call = compiled(lambda f, r: ops.cast(layer(f, r, image_size=PICTURE), "float32"))
    return ops.convert_to_numpy(call(features, rois()))
