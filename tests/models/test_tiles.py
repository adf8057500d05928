"""Tiles are blended into one picture, a row of them at a time."""

import numpy as np
import pytest

from zoo.layers import PaddingConverter
from zoo.models.tiles import TileBlend

pytestmark = pytest.mark.any_backend


def blended(shape, tile, overlap, seen_by):
    """Blend the tiles of a converter; `seen_by` gives a tile's logits by its corner."""
    converter = PaddingConverter((tile, tile), multiple=8, tile_side=tile, overlap=overlap)
    blend = TileBlend(shape, overlap)
    for corner in converter.corners(*shape):
        blend.add(seen_by(corner, converter.padded_size(*shape)), corner)
    return blend.finish()


@pytest.mark.parametrize("shape", [(40, 50), (33, 16), (16, 100), (70, 20)])
def test_tiles_that_agree_give_the_whole(shape):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(*shape, 4)).astype("float32")
    beyond = np.pad(logits, [(0, 16), (0, 16), (0, 0)])

    def part(corner, size):
        top, left = corner
        return beyond[top : top + size[0], left : left + size[1]]

    classes, scores = blended(shape, 16, 6, part)
    np.testing.assert_array_equal(classes, logits.argmax(-1))
    odds = np.exp(logits)
    np.testing.assert_allclose(scores, (odds / odds.sum(-1, keepdims=True)).max(-1), atol=1e-5)


def test_a_pixel_follows_the_tile_that_sees_it_further_inside():
    # Two tiles of 16 columns over 24: the first says class 0, the second class 1, equally sure.
    def opinion(corner, size):
        logits = np.zeros((*size, 2), "float32")
        logits[..., 0 if corner[1] == 0 else 1] = 3.0
        return logits

    classes, scores = blended((16, 24), 16, 8, opinion)
    assert (classes[:, :12] == 0).all()
    assert (classes[:, 12:] == 1).all()
    np.testing.assert_allclose(scores[:, 0], 1 / (1 + np.exp(-3)), atol=1e-6)
    assert scores[0, 12] < 0.7  # in the middle of the overlap the two cancel
