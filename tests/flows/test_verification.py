"""How far two backends' scores may lie apart."""

import pytest

from flows.verification import _differences, _weight

pytestmark = pytest.mark.any_backend


def test_one_object_of_the_rarest_class_weighs_its_part_of_a_mean_over_classes():
    assert _weight({"white": 20, "red": 400, "unseen": 0}) == pytest.approx(1 / 40)
    assert _weight({}) == 0


@pytest.mark.parametrize(
    ("metric", "apart", "told"),
    [
        ("ap50", 0.00009, False),
        ("ap50", 0.0009, False),  # one of 1,000 objects
        ("ap50", 0.0011, True),
        ("ap", 0.00011, True),  # a mean over ten thresholds: a tenth of it
        ("mask_ap", 0.00011, True),
        ("ap_small", 0.5, False),
    ],
)
def test_a_difference_is_told_beyond_rounding_and_one_object(metric, apart, told):
    found = _differences({metric: 0.5}, {metric: 0.5 + apart}, weight=0.001)
    assert bool(found) == told
    assert not told or found == [f"{metric} is {0.5 + apart:.6f} where 0.500000 was to be expected"]


def test_what_is_not_a_number_is_a_difference():
    assert _differences({"ap": 0.5}, {"ap": float("nan")}, weight=0.1)
