"""How far two backends' scores may lie apart."""

import json
from types import SimpleNamespace

import pytest

from flows.run_folder import RunFolder
from flows.verification import _differences, _found_the_same

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("metric", ["ap", "ap50", "ap_small", "mask_ap"])
@pytest.mark.parametrize(("apart", "told"), [(0.00009, False), (0.00011, True)])
def test_a_difference_is_told_beyond_1e_4(metric, apart, told):
    found = _differences({metric: 0.5}, {metric: 0.5 + apart})
    line = f"{metric} is {0.5 + apart:.6f} where 0.500000 was to be expected"
    assert found == ([line] if told else [])


@pytest.mark.parametrize(("apart", "told"), [(0.0019, False), (0.0021, True)])
def test_a_loss_may_differ_by_a_part_of_itself(apart, told):
    assert bool(_differences({"loss": 20.0}, {"loss": 20.0 + apart})) == told


@pytest.mark.parametrize("rows", [[], [{"category_id": 0}]])
def test_answers_without_boxes_are_not_called_the_same(rows, tmp_path):
    folder = RunFolder(tmp_path)

    def measure(model, *, backend, out, predictions):
        predictions.write_text(json.dumps(rows))

    folder.predictions.write_text(json.dumps(rows))
    assert not _found_the_same(measure, SimpleNamespace(backend="jax"), folder)


def test_what_is_not_a_number_is_a_difference():
    assert _differences({"ap": 0.5}, {"ap": float("nan")})
