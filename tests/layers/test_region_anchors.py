"""Anchors of the region proposal network lie where torchvision's checkpoints expect them."""

import keras
import numpy as np
import pytest

from zoo.layers import RegionAnchors

SIZES = [[32], [64], [128], [256], [512]]


# AnchorGenerator.cell_anchors of torchvision 0.29's default: height / width .5, 1, 2.
TORCHVISIONS = {
    32: [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]],
    64: [[-45, -23, 45, 23], [-32, -32, 32, 32], [-23, -45, 23, 45]],
    128: [[-91, -45, 91, 45], [-64, -64, 64, 64], [-45, -91, 45, 91]],
    256: [[-181, -91, 181, 91], [-128, -128, 128, 128], [-91, -181, 91, 181]],
    512: [[-362, -181, 362, 181], [-256, -256, 256, 256], [-181, -362, 181, 362]],
}


@pytest.mark.parametrize("size", TORCHVISIONS)
def test_the_anchors_of_a_cell_are_torchvisions(size):
    assert RegionAnchors(SIZES).around_corner([size]).tolist() == TORCHVISIONS[size]


def test_anchors_lie_at_multiples_of_the_stride_row_by_row():
    (level,) = RegionAnchors([[32]])([(2, 3)], [16], (32, 48))
    pixels = level.reshape(2, 3, 3, 4) * [48, 32, 48, 32]
    np.testing.assert_allclose(pixels[0, 0, 1], [-16, -16, 16, 16], atol=1e-4)
    np.testing.assert_allclose(pixels[0, 2, 1], [16, -16, 48, 16], atol=1e-4)
    np.testing.assert_allclose(pixels[1, 0, 1], [-16, 0, 16, 32], atol=1e-4)
    assert level.dtype == np.float32


def test_a_picture_of_800_pixels_has_torchvisions_number_of_anchors():
    sides = [200, 100, 50, 25, 13]
    levels = RegionAnchors(SIZES)([(s, s) for s in sides], [4, 8, 16, 32, 64], (800, 800))
    assert [len(level) for level in levels] == [3 * s * s for s in sides]


def test_several_sizes_follow_each_other_within_a_ratio():
    cell = RegionAnchors([[8, 16]], ratios=(1.0, 4.0)).around_corner([8, 16])
    assert cell[:, 2].tolist() == [4, 8, 8, 16]
    assert cell[:, 3].tolist() == [4, 8, 2, 4]


def test_levels_without_sizes_are_refused():
    with pytest.raises(ValueError, match="each of the 2 levels of the backbone; got 1"):
        RegionAnchors([[8]])([(4, 4), (2, 2)], [8, 16], (32, 32))
    with pytest.raises(ValueError, match="as many on each level"):
        RegionAnchors([[8], [8, 16]])


def test_it_survives_serialisation():
    piece = RegionAnchors([[8, 12], [16, 24]], (1.0, 0.5))
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(piece))
    assert twin.get_config() == piece.get_config()
