"""Two replicas train as one device does at the whole batch, under plain fit."""

import json

import keras
import pytest
from cases import run_python

pytestmark = [
    pytest.mark.slow,  # tests/training/test_spread_defects.py has the doubled loss in small
    pytest.mark.skipif(
        keras.backend.backend() == "torch", reason="Keras' fit has no replicas on PyTorch"
    ),
]


@pytest.fixture(scope="module")
def reports():
    answer = run_python(
        ["tests/models/replicas.py"],
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
        CUDA_VISIBLE_DEVICES="-1",
        JAX_PLATFORMS="cpu",
    )
    return json.loads(answer.splitlines()[-1])


@pytest.fixture(params=["book", "multibox", "yolo", "rcnn", "fast_rcnn", "mask_rcnn", "fcn"])
def report(request, reports):
    return reports[request.param]


def test_weights_are_those_of_one_device(report):
    assert report["replicas"] == 2
    assert report["moved"] > 1e-3, "the steps moved nothing: nothing is compared"
    # Gradients of two halves are summed in another order: 2e-7 a step was measured, here 3 steps.
    assert report["weights"] < 1e-5


def test_every_logged_figure_is_that_of_one_device(report):
    for name, (alone, shared) in report["metrics"].items():
        assert shared == pytest.approx(alone, rel=1e-4, abs=1e-7), name
