"""Pictures of any size become few sizes, or tiles that cover them."""

from itertools import pairwise

import numpy as np
import pytest

from zoo.layers import PaddingConverter

pytestmark = pytest.mark.any_backend


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype("uint8")


def test_a_picture_stands_in_the_corner_of_grey():
    pixels = PaddingConverter((320, 480)).convert(picture(33, 50))
    assert pixels.shape == (64, 64, 3)
    np.testing.assert_array_equal(pixels[:33, :50], picture(33, 50))
    assert (pixels[33:] == 114).all()
    assert (pixels[:, 50:] == 114).all()


def test_sides_have_sixteen_lengths_and_at_most_a_fifth_too_much():
    converter = PaddingConverter((320, 480))
    lengths = np.array([converter.padded_size(side, 1)[0] for side in range(1, 1025)])
    sides = np.arange(1, 1025)
    assert len(set(lengths)) == 16
    assert (lengths % 32 == 0).all()
    assert (lengths >= sides).all()
    assert ((lengths - sides)[256:] <= lengths[256:] / 5).all()
    assert ((lengths - sides)[:256] < 32).all()


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 64), (130, 200), (64, 333)])
def test_tiles_cover_the_picture_and_overlap(size):
    converter = PaddingConverter((64, 64), tile_side=64, overlap=24)
    tall, wide = converter.padded_size(*size)
    seen = np.zeros(size, int)
    corners = converter.corners(*size)
    for top, left in corners:
        assert converter.convert(picture(*size), (top, left)).shape == (tall, wide, 3)
        seen[top : top + tall, left : left + wide] += 1
    assert seen.min() == 1
    assert (len(corners) > 1) == (max(size) > 64)
    for axis in (0, 1):
        starts = sorted({corner[axis] for corner in corners})
        assert all(later - start <= 64 - 24 for start, later in pairwise(starts))


def test_a_tile_shows_its_part_of_the_picture():
    converter = PaddingConverter((64, 64), tile_side=64, overlap=32)
    whole = picture(64, 100)
    np.testing.assert_array_equal(converter.convert(whole, (0, 36)), whole[:, 36:])


def test_its_config_makes_the_same():
    converter = PaddingConverter((320, 480), tile_side=512, overlap=64, fill=0)
    again = PaddingConverter.from_config(converter.get_config())
    assert again.get_config() == converter.get_config()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 320}, "One number for both sides"),
        ({"tile_side": 100}, "multiple of the network's stride, 32; got 100"),
        ({"overlap": 1024}, r"overlap must lie in 0\.\.1023"),
        ({"fill": 256}, r"fill must lie in 0\.\.255"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        PaddingConverter(**{"image_size": (320, 480)} | options)
