"""The anchors of TinySSD, counted and placed as the book does."""

import keras
import numpy as np
import pytest

from zoo.layers import AnchorGenerator

SIZES = [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]]


@pytest.fixture
def tiny_ssd_anchors():
    return AnchorGenerator(SIZES, [[1, 2, 0.5]] * 5)


def levels(generator, shapes):
    return keras.ops.convert_to_numpy(generator(shapes))


def test_tiny_ssd_has_5444_anchors_at_256(tiny_ssd_anchors):
    # Book 13.7: (32 * 32 + 16 * 16 + 8 * 8 + 4 * 4 + 1) * 4 = 5444.
    anchors = levels(tiny_ssd_anchors, [(32, 32), (16, 16), (8, 8), (4, 4), (1, 1)])
    assert anchors.shape == (5444, 4)
    assert anchors.dtype == np.float32


def test_a_cell_has_sizes_plus_ratios_minus_one_anchors():
    assert AnchorGenerator([[0.1], [0.2, 0.3]], [[1], [1, 2, 0.5]]).anchors_per_cell == [1, 4]


def test_anchors_of_the_one_cell_level_lie_round_the_centre(tiny_ssd_anchors):
    last = levels(tiny_ssd_anchors, [(32, 32), (16, 16), (8, 8), (4, 4), (1, 1)])[-4:]
    np.testing.assert_allclose((last[:, :2] + last[:, 2:]) / 2, 0.5, atol=1e-6)
    widths, heights = (last[:, 2:] - last[:, :2]).T
    # Sizes .88 .961 at ratio 1, then .88 at ratios 2 and .5: width .88 sqrt(r), height .88/sqrt(r).
    root = 2**0.5
    np.testing.assert_allclose(widths, [0.88, 0.961, 0.88 * root, 0.88 / root], rtol=1e-6)
    np.testing.assert_allclose(heights, [0.88, 0.961, 0.88 / root, 0.88 * root], rtol=1e-6)


def test_levels_follow_one_another_and_rows_come_before_columns():
    generator = AnchorGenerator([[0.5], [0.5]], [[1], [1]])
    anchors = levels(generator, [(2, 2), (1, 1)])
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75], [0.5, 0.5]]
    np.testing.assert_allclose(centres, expected, atol=1e-6)


# Book 13.5, "display_anchors": sizes .15 on a 4x4 map, .4 on 2x2, .8 on 1x1, ratios 1 2 .5.
@pytest.mark.parametrize(("cells", "size"), [(4, 0.15), (2, 0.4), (1, 0.8)])
def test_the_multiscale_anchors_of_the_book(cells, size):
    anchors = levels(AnchorGenerator([[size]], [[1, 2, 0.5]]), [(cells, cells)])
    assert anchors.shape == (cells * cells * 3, 4)
    grid = (np.arange(cells) + 0.5) / cells
    y, x = (
        axis.repeat(3) for axis in np.meshgrid(grid, grid, indexing="ij") for axis in [axis.ravel()]
    )
    ratios = np.tile([1, 2, 0.5], cells * cells) ** 0.5
    half = np.stack([size * ratios, size / ratios], axis=1) / 2
    centres = np.stack([x, y], axis=1)
    np.testing.assert_allclose(anchors, np.hstack([centres - half, centres + half]), atol=1e-6)


def test_sizes_and_ratios_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="same levels; got 2 and 1"):
        AnchorGenerator([[0.1], [0.2]], [[1]])


def test_a_wrong_number_of_levels_is_refused(tiny_ssd_anchors):
    with pytest.raises(ValueError, match="5 in all; got 1"):
        tiny_ssd_anchors([(4, 4)])


def test_a_serialised_generator_makes_the_same_anchors(tiny_ssd_anchors):
    config = keras.saving.serialize_keras_object(tiny_ssd_anchors)
    twin = keras.saving.deserialize_keras_object(config)
    shapes = [(4, 4)] * 5
    np.testing.assert_array_equal(levels(twin, shapes), levels(tiny_ssd_anchors, shapes))


def test_steps_say_how_far_apart_cells_lie():
    # Two cells .4 apart: centres at .2 and .6, where 1 / cells would put .25 and .75.
    anchors = levels(AnchorGenerator([[0.1]], [[1]], steps=[0.4]), [(1, 2)])
    np.testing.assert_allclose((anchors[:, 0] + anchors[:, 2]) / 2, [0.2, 0.6], rtol=1e-6)
    np.testing.assert_allclose(anchors[:, 2] - anchors[:, 0], 0.05, rtol=1e-6)


def test_sides_are_limited_to_the_picture():
    anchors = levels(AnchorGenerator([[0.9]], [[1, 4]], limit_sides=True), [(1, 1)])
    np.testing.assert_allclose(anchors[1], [0.0, 0.275, 1.0, 0.725], atol=1e-6)


def test_steps_must_name_every_level():
    with pytest.raises(ValueError, match="steps must name the levels of sizes, 2; got 1"):
        AnchorGenerator([[0.1], [0.2]], [[1], [1]], steps=[0.5])
