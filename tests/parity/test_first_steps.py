"""One config from one start gives the same losses on every backend.

The figures at full size come from benchmarks/parity.py, which this runs on a small config.
"""

import json

import pytest
from cases import run_python

from flows.runtime import installed_backends

pytestmark = [pytest.mark.any_backend, pytest.mark.slow]  # a process for each of them

SMALL = ["data.image_size=128", "data.batch_size=16", "data.limit=320"]


@pytest.fixture(scope="module")
def record():
    arguments = ["benchmarks/parity.py", "--json", "--config", "configs/tiny_ssd_bananas.yaml"]
    for change in SMALL:
        arguments += ["--set", change]
    return json.loads(run_python(arguments, timeout=500).splitlines()[-1])


def test_the_first_losses_agree(record):
    assert set(record["losses"]) == set(installed_backends())
    # One forward pass in float32; 1e-4 of the loss is what we promise.
    assert record["first_step"] < 1e-4


def test_twenty_steps_agree(record):
    assert all(len(losses) == 20 for losses in record["losses"].values())
    # Rounding grows from step to step through the weights; 1e-2 of the loss is what we promise.
    assert record["worst_step"] < 1e-2
