"""The roofline's arithmetic, by hand."""

import pytest

from zoo.hardware import Roofline, feeding, least_seconds, median

pytestmark = pytest.mark.any_backend

# A machine of 100 operations a second and 10 bytes a second: the ridge is at 10 operations a byte.
MACHINE = {"peak": 100.0, "bandwidth": 10.0}


def test_right_of_the_ridge_the_matrix_rate_bounds():
    step = Roofline(operations=400.0, bytes=20.0, seconds=8.0, **MACHINE)
    assert (step.intensity, step.ridge, step.limit) == (20.0, 10.0, 100.0)
    assert (step.bound, step.achieved, step.fraction) == ("compute", 50.0, 0.5)


def test_left_of_the_ridge_the_memory_bounds():
    step = Roofline(operations=40.0, bytes=20.0, seconds=4.0, **MACHINE)
    assert (step.intensity, step.limit) == (2.0, 20.0)
    assert (step.bound, step.achieved, step.fraction) == ("memory bandwidth", 10.0, 0.5)


def test_on_the_ridge_the_ceilings_agree():
    step = Roofline(operations=100.0, bytes=10.0, **MACHINE)
    assert step.limit == MACHINE["peak"] == step.intensity * MACHINE["bandwidth"]
    assert (step.bound, step.achieved, step.fraction) == ("compute", None, None)


def test_work_without_operations_has_no_fraction():
    step = Roofline(operations=0.0, bytes=10.0, seconds=1.0, **MACHINE)
    assert (step.limit, step.fraction) == (0.0, None)


@pytest.mark.parametrize("name", ["bytes", "peak", "bandwidth"])
def test_what_divides_must_be_above_zero(name):
    values = {"operations": 1.0, "bytes": 1.0, "peak": 1.0, "bandwidth": 1.0} | {name: 0.0}
    with pytest.raises(ValueError, match=f"{name} must be above 0; got 0.0"):
        Roofline(**values)


def test_parts_one_after_another_take_each_its_own_limit():
    parts = [(400.0, 10.0, "float32"), (10.0, 50.0, "float32"), (400.0, 10.0, "bfloat16")]
    # 400 / 100, 50 / 10 and 400 / 200; the whole at once: 800 / 100 and 70 / 10 are less.
    peaks = {"float32": 100.0, "bfloat16": 200.0}
    assert least_seconds(parts, peaks, 10.0) == 4.0 + 5.0 + 2.0


def test_a_dtype_without_a_rate_is_done_as_float32():
    assert least_seconds([(50.0, 1.0, "float8")], {"float32": 100.0}, 10.0) == 0.5


@pytest.mark.parametrize(
    ("values", "middle"), [([], None), ([3.0], 3.0), ([9.0, 1.0, 2.0], 2.0), ([4.0, 1.0], 1.0)]
)
def test_median_is_a_value_that_was_measured(values, middle):
    assert median(values) == middle


@pytest.mark.parametrize(
    ("pipeline", "word"),
    [(80.0, "starving"), (110.0, "starving"), (140.0, "barely"), (151.0, "fed")],
)
def test_a_device_starves_where_the_pipeline_is_no_faster_than_the_step(pipeline, word):
    assert feeding(pipeline, step=100.0).startswith(word)
