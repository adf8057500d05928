import numpy as np
import pytest
from compilation import compiled
from keras import ops

from zoo.ops import assign_levels


def levels(rois, **limits):
    limits = {"min_level": 2, "max_level": 5} | limits
    return ops.convert_to_numpy(compiled(lambda r: assign_levels(r, **limits))(rois)).tolist()


def squares(*sides):
    return np.float32([[[0, 0, side, side] for side in sides]])


def test_sizes_choose_levels():
    # Lin 2017, eq. 1: 224 is level 4, place 2 of levels 2..5; a level for each factor of two.
    assert levels(squares(224, 223, 112, 111, 448, 447)) == [[2, 1, 1, 0, 3, 2]]


def test_levels_end_at_the_limits():
    assert levels(squares(1, 5000, 1e30)) == [[0, 3, 3]]
    assert levels(squares(1, 448), min_level=3, max_level=4) == [[0, 1]]


def test_the_area_counts_not_the_sides():
    assert levels(np.float32([[[0, 0, 448, 112], [5, 5, 61, 901]]])) == [[2, 2]]


def test_the_canonical_level_and_size_may_be_others():
    assert levels(squares(100, 50), canonical_size=100, canonical_level=3) == [[1, 0]]


def test_empty_and_wild_rois_take_the_first_level():
    rois = np.float32([[[3, 3, 3, 9], [9, 9, 1, 1], [np.nan, 0, 1, 1], [-np.inf, 0, 1, np.nan]]])
    assert levels(rois) == [[0, 0, 0, 0]]


def test_limits_out_of_order_are_refused():
    with pytest.raises(ValueError, match="min_level must be at most max_level; got 5 and 2"):
        assign_levels(squares(1), min_level=5, max_level=2)
