"""The arithmetic of many devices, by hand and against tables that others published."""

import itertools
import math
import sys

import pytest
from cases import ROOT
from hypothesis import given
from hypothesis import strategies as st

from zoo.training.distribution.scaling import (
    Cluster,
    Link,
    Work,
    all_reduce_seconds,
    fit_bandwidth,
    ring_bytes,
    ring_seconds,
    step_seconds,
    strong_efficiency,
    weak_efficiency,
)

sys.path.append(str(ROOT / "benchmarks"))
import scaling_forecast

pytestmark = pytest.mark.any_backend
FREE = Cluster(Link(math.inf), Link(math.inf))


def test_a_ring_of_four_sends_three_halves_of_the_gradients_in_six_messages():
    assert ring_bytes(4, 100.0) == 150.0  # 3 parts of a quarter, twice
    assert ring_seconds(4, 100.0, Link(bandwidth=50.0, latency=0.5)) == 6 * 0.5 + 3.0


def test_one_device_sends_nothing():
    slow = Cluster(Link(1e-9, 1e9))
    assert ring_bytes(1, 1e9) == 0.0
    assert all_reduce_seconds(1, 1e9, slow) == 0.0
    assert weak_efficiency(Work(1e9, 0.01), 32, 1, slow) == 1.0


def test_two_nodes_of_four_by_hand():
    cluster = Cluster(Link(100.0, 1.0), Link(10.0, 2.0), per_node=4)
    inside = 6 * 1.0 + 1.5 * 200 / 100  # 2 (4 - 1) messages, 2 * 3 / 4 of 200 bytes
    between = 2 * 2.0 + 1.0 * 200 / 10  # 2 (2 - 1) messages, all 200 bytes through a node's link
    assert all_reduce_seconds(8, 200.0, cluster) == inside + between


def test_a_step_by_hand():
    cluster = Cluster(Link(100.0))
    work = Work(gradient_bytes=200.0, picture_seconds=0.5, fixed_seconds=1.0)
    assert step_seconds(work, 6, 2, cluster) == 1.0 + 3.0 + 2.0
    hiding = Work(200.0, 0.5, 1.0, overlap=0.5)  # half of two thirds of 3 seconds
    assert step_seconds(hiding, 6, 2, cluster) == pytest.approx(1.0 + 3.0 + 1.0)
    assert step_seconds(Work(20.0, 0.5, 1.0, overlap=1.0), 6, 2, cluster) == 4.0  # all hidden
    assert weak_efficiency(work, 6, 2, cluster) == 4.0 / 6.0
    assert strong_efficiency(work, 6, 2, cluster) == pytest.approx(4.0 / 2 / (1.0 + 1.5 + 2.0))


work_of = st.builds(
    Work,
    gradient_bytes=st.floats(0, 1e10),
    picture_seconds=st.floats(1e-6, 1.0),
    fixed_seconds=st.floats(0, 0.1),
    overlap=st.floats(0, 1),
)


@given(work_of, st.integers(1, 512), st.sampled_from([1, 2, 4, 8, 16, 64]))
def test_without_a_cost_of_sending_efficiency_is_one(work, pictures, devices):
    assert weak_efficiency(work, pictures, devices, FREE) == 1.0


@given(work_of, st.integers(1, 512), st.floats(1e6, 1e12), st.floats(0, 1e-3))
def test_more_devices_are_never_more_efficient(work, pictures, bandwidth, latency):
    cluster = Cluster(Link(bandwidth, latency), Link(bandwidth, latency))
    found = [weak_efficiency(work, pictures, n, cluster) for n in (1, 2, 4, 8, 16, 64)]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in itertools.pairwise(found))
    assert strong_efficiency(work, pictures, 8, cluster) <= found[3] * (1 + 1e-9)


@given(st.floats(1e6, 1e9), st.floats(1e-4, 0.1), st.sampled_from([2, 4, 8]), st.floats(1e8, 1e11))
def test_a_bandwidth_that_was_fitted_gives_the_efficiency_back(size, seconds, devices, bandwidth):
    work = Work(size, seconds)
    found = weak_efficiency(work, 32, devices, Cluster(Link(bandwidth)))
    if found < 0.999:  # beyond it rounding eats what was lost
        assert fit_bandwidth(work, 32, devices, found) == pytest.approx(bandwidth, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Link(0.0), "bandwidth must be above 0"),
        (lambda: Work(1.0, 1.0, overlap=1.5), r"overlap must lie in 0\.\.1; got 1\.5"),
        (lambda: Work(-1.0, 1.0), "must be at least 0"),
        (lambda: step_seconds(Work(1.0, 1.0), 1, 0, FREE), "devices must be at least 1; got 0"),
        (lambda: all_reduce_seconds(12, 1.0, FREE), "must fill whole nodes"),
        (lambda: all_reduce_seconds(16, 1.0, Cluster(Link(1.0))), "got 16 devices and None"),
        (lambda: fit_bandwidth(Work(1.0, 1.0), 1, 2, 1.5), "efficiency must lie in"),
    ],
)
def test_what_makes_no_sense_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


TABLES = scaling_forecast.PUBLISHED["tables"]


@pytest.mark.parametrize("table", TABLES, ids=[table["name"] for table in TABLES])
def test_what_others_measured_lies_where_the_model_has_it(table):
    """Between no overlap and whole overlap, give or take what the table's `within` says."""
    found = list(scaling_forecast.pairs(table))
    assert found
    for model, pictures, before, rate, devices, measured in found:
        none, whole = scaling_forecast.forecast(table, model, pictures, before, rate, devices)
        assert none <= whole
        away = scaling_forecast.outside(measured, none, whole)
        assert away <= table["within"], (model, pictures, devices, measured, none, whole)


def test_a_fitted_bandwidth_holds_for_other_batches_of_its_model():
    """That a step is computing and a constant: 64 to 512 pictures on GPUs that share links."""
    (table,) = [one for one in TABLES if "fitted_on" in one]
    for model, pictures, before, rate, devices, measured in scaling_forecast.pairs(table):
        if model == table["fitted_on"][0]:
            none, _ = scaling_forecast.forecast(table, model, pictures, before, rate, devices)
            assert none == pytest.approx(measured, abs=0.04)


def test_the_book_s_pair_is_forecast_within_an_eighth():
    """12.2 -> 7.4 s; the model leaves out how nn.DataParallel copies the network each step."""
    measured, ring, through_one, fitted = scaling_forecast.book()
    assert measured == 7.4
    assert ring < through_one < measured
    assert ring == pytest.approx(measured, rel=0.125)
    assert through_one == pytest.approx(measured, rel=0.07)
    assert 3e9 < fitted < 16e9  # a PCIe 3.0 link's own figure is 16 GB/s
