"""Curves: a falling line falls in the picture, and what has no logarithm is left out."""

import numpy as np
import pytest

from zoo.draw_curves import draw_curves

BLUE = np.array([31, 119, 180])  # matplotlib's first colour

pytestmark = pytest.mark.any_backend


def draw(steps, values):
    """Draw a blue line that the legend does not name, and another one that it does."""
    return draw_curves(steps, {"_loss": values, "other": np.ones(len(steps))})


def heights(picture):
    """Return column -> mean row of the first line's pixels, left to right."""
    rows, columns = np.nonzero((np.abs(picture.astype(int) - BLUE) < 8).all(axis=-1))
    return [rows[columns == column].mean() for column in np.unique(columns)]


def test_exponential_decay_is_a_falling_straight_line():
    steps = np.arange(1, 101)
    picture = draw(steps, np.exp(-steps / 10))
    assert (picture.dtype, picture.shape) == (np.uint8, (400, 640, 3))
    line = heights(picture)[5:-5]
    slopes = np.diff(line)
    assert slopes.mean() > 0.5  # downwards: rows grow
    np.testing.assert_allclose(line, np.linspace(line[0], line[-1], len(line)), atol=1.5)


def test_zero_is_left_out():
    whole = heights(draw([1, 2, 3], [4.0, 2.0, 1.0]))
    begun_at_zero = heights(draw([1, 2, 3], [0.0, 2.0, 1.0]))
    assert len(begun_at_zero) < 0.6 * len(whole)


def test_curve_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"content must have 3 values.*got 2"):
        draw_curves([1, 2, 3], {"content": [1.0, 2.0]})
