"""How far two backends' scores may lie apart."""

import pytest

from flows.verification import _differences

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("metric", ["ap", "ap50", "ap_small", "mask_ap"])
@pytest.mark.parametrize(("apart", "told"), [(0.00009, False), (0.00011, True)])
def test_a_difference_is_told_beyond_1e_4(metric, apart, told):
    found = _differences({metric: 0.5}, {metric: 0.5 + apart})
    line = f"{metric} is {0.5 + apart:.6f} where 0.500000 was to be expected"
    assert found == ([line] if told else [])


def test_what_is_not_a_number_is_a_difference():
    assert _differences({"ap": 0.5}, {"ap": float("nan")})
