"""Rates are work over time; on real clocks only their sense is looked at."""

import itertools

import numpy as np
import pytest
from keras import ops

from zoo.hardware import rates
from zoo.hardware.triad import prepare_triad


def clock_of(*durations):
    """Return a clock by which runs take these seconds, the last one for ever."""
    edges, now = [], 0.0
    for took in itertools.chain(durations, itertools.repeat(durations[-1], 1000)):
        edges += [now, now + took]
        now += took + 1.0
    return iter(edges).__next__


def test_the_best_of_several_runs_counts():
    runs = []
    rate = rates.best_rate(lambda: runs.append(1), 12.0, seconds=0.0, clock=clock_of(4.0, 2.0, 3.0))
    assert rate == 12.0 / 2.0
    assert len(runs) == 1 + 3  # one that compiles


def test_it_goes_on_for_the_seconds_it_is_given():
    runs = []
    rates.best_rate(lambda: runs.append(1), 1.0, seconds=10.0, clock=clock_of(2.0))
    assert len(runs) == 1 + 5


def test_matrices_grow_until_they_take_long_enough():
    clock = clock_of(1.0, 1.0, 1.0, 9.0, 9.0, 4.0, 10.0)
    rate = rates.matrix_rate("float32", seconds=100.0, clock=clock)
    # Four runs of 2048 would take 4 * 8 * 4 seconds.
    assert rate == rates.MatrixRate(2.0 * 1024**3 / 4.0, 1024)


def test_the_side_with_the_best_rate_counts():
    clock = clock_of(1.0, 1.0, 1.0, 16.0, 16.0, 16.0, 0.5)
    rate = rates.matrix_rate("float32", seconds=100.0, clock=clock)
    assert rate == rates.MatrixRate(2.0 * 512**3 / 0.5, 512)


@pytest.mark.parametrize("dtype", rates.DTYPES)
def test_every_dtype_has_a_rate_on_this_backend(dtype):
    rate = rates.matrix_rate(dtype, seconds=0.0)
    assert rate.side == 512
    assert 1e6 < rate.operations_per_second < 1e16


def test_a_dtype_that_the_backend_does_not_multiply_has_none():
    assert rates.matrix_rate("no_such_dtype", seconds=0.0) is None


def test_memory_is_two_arrays_read_and_one_written():
    rate = rates.memory_rate(2**22, seconds=0.0, clock=clock_of(2.0))
    assert rate == rates.MemoryRate(bytes_per_second=3 * 2**22 / 2.0, working_set=3 * 2**22)


def test_the_triad_is_computed_each_time():
    a, b, c = (ops.full((4, 8), value, dtype="float32") for value in (0.0, 1.0, 2.0))
    triad = prepare_triad(a, b, c, scale=3.0)
    for _ in range(2):
        np.testing.assert_array_equal(ops.convert_to_numpy(triad()), np.full((4, 8), 7.0))


def test_a_copy_to_the_device_has_a_rate_and_none_where_there_is_no_copy():
    rate = rates.copy_rate(2**20, seconds=0.0, clock=clock_of(0.5))
    assert rate in (rates.CopyRate(2**20 / 0.5, 2**20), rates.CopyRate(None, 2**20))


def test_memory_shared_with_numpy_is_no_copy(monkeypatch):
    monkeypatch.setattr(rates.ops, "convert_to_tensor", lambda array: array)
    monkeypatch.setattr(rates.ops, "convert_to_numpy", np.asarray)
    assert rates.copy_rate(2**20, seconds=0.0) == rates.CopyRate(None, 2**20)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("caches", "available", "expected"),
    [
        ([32 * 2**20], 64 * 2**30, 128 * 2**20),  # four times the last cache
        ([32 * 2**20] * 2, 64 * 2**30, 256 * 2**20),
        ([], 64 * 2**30, 256 * 2**20),  # unknown: taken for 64 MB
        ([32 * 2**20], 600 * 2**20, 50 * 2**20),  # three of them in a quarter of the memory
    ],
)
def test_arrays_are_far_larger_than_the_caches(caches, available, expected):
    assert rates.array_bytes(caches, available) == expected
