import numpy as np
import pytest
from keras import ops

from zoo.ops import convert_boxes, prior_boxes


def centres_and_sizes(*arguments):
    return ops.convert_to_numpy(convert_boxes(prior_boxes(*arguments), "xyxy", "cxcywh"))


def test_a_cell_lists_all_sizes_then_the_other_ratios():
    # (s1, r1) (s2, r1) (s1, r2) (s1, r3) on a square map: widths s sqrt(r), heights s / sqrt(r).
    sizes = centres_and_sizes(1, 1, [0.4, 0.2], [1, 4, 0.25])[:, 2:]
    np.testing.assert_allclose(sizes, [[0.4, 0.4], [0.2, 0.2], [0.8, 0.2], [0.2, 0.8]], rtol=1e-6)


def test_cells_go_row_by_row_with_centres_in_the_middle():
    centres = centres_and_sizes(2, 3, [0.1], [1])[:, :2]
    expected = [[(x + 0.5) / 3, (y + 0.5) / 2] for y in range(2) for x in range(3)]
    np.testing.assert_allclose(centres, expected, atol=1e-6)


def test_an_anchor_of_ratio_one_is_square_in_the_cells_of_a_wide_map():
    # On a map of 2 x 8 cells a square of half the height spans 1 cell, an eighth of the width.
    size = centres_and_sizes(2, 8, [0.5], [1])[0, 2:]
    np.testing.assert_allclose(size, [0.125, 0.5], rtol=1e-6)


def test_tiny_ssd_has_5444_anchors():
    # 13.7 of the book: 4 anchors in each of 32^2 + 16^2 + 8^2 + 4^2 + 1 cells.
    sizes = [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]]
    levels = zip((32, 16, 8, 4, 1), sizes, strict=True)
    assert sum(prior_boxes(n, n, s, [1, 2, 0.5]).shape[0] for n, s in levels) == 5444


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, [0.1], [1]), "height must be positive"),
        ((4, 4, [], [1]), "sizes must be positive, at least one number"),
        ((4, 4, [0.1], [1, -2]), "ratios must be positive"),
    ],
)
def test_impossible_anchors_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        prior_boxes(*arguments)
