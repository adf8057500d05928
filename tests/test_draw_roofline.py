"""The roofline's picture: the ceiling's slope and top, and a point where it belongs."""

import numpy as np
import pytest

from zoo.draw_roofline import draw_roofline

pytestmark = pytest.mark.any_backend

RED = np.array([214, 39, 40])  # matplotlib's fourth colour, the first point's


def dot(picture):
    """Return (row, column) of the filled point: where red lies five pixels and more in a row.

    None where nothing does: the ring is hollow, the line below it thin, the legend left out.
    """
    red = (np.abs(picture.astype(int) - RED) < 8).all(axis=-1)
    red[300:, 480:] = False
    wide = np.array([np.roll(red, -shift, axis=1) for shift in range(5)]).all(axis=0)
    return np.argwhere(wide)[-1] if wide.any() else None


def draw(intensity, achieved):
    points = {"step": (intensity, achieved, min(1e11, intensity * 1e10))}
    return draw_roofline({"float32": 1e11, "bfloat16": 2e11}, 1e10, points, dtype="float32")


def test_it_is_a_picture():
    picture = draw(3.0, 1e10)
    assert (picture.dtype, picture.shape) == (np.uint8, (500, 800, 3))


def test_more_is_higher_and_more_intense_is_further_right():
    row, column = dot(draw(3.0, 1e10))
    higher, _ = dot(draw(3.0, 2.5e10))
    _, further = dot(draw(9.0, 1e10))
    assert higher < row
    assert further > column


def test_what_was_not_measured_has_no_dot():
    assert dot(draw(3.0, None)) is None


def test_work_without_operations_has_no_place():
    picture = draw_roofline({"float32": 1e11}, 1e10, {"step": (0.0, None, 0.0)}, dtype="float32")
    assert dot(picture) is None


def test_a_dtype_without_a_ceiling_is_refused():
    with pytest.raises(ValueError, match=r"dtype must be one of float32; got 'float8'"):
        draw_roofline({"float32": 1e11}, 1e10, {}, dtype="float8")
