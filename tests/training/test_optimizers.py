"""Optimizers and schedules by name, against their formulas."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.training import build_optimizer


def rates(steps, **options):
    optimizer = build_optimizer("sgd", learning_rate=0.4, **options)
    schedule = optimizer._learning_rate
    if not callable(schedule):
        return [float(optimizer.learning_rate)] * len(steps)
    return [float(schedule(step)) for step in steps]


def test_constant_stays():
    assert rates([0, 5, 10], total_steps=10) == pytest.approx([0.4] * 3)


def test_constant_rises_first_with_a_warm_up():
    got = rates([0, 2, 4, 7, 50], total_steps=10, warmup_steps=4)
    assert got == pytest.approx([0.0, 0.2, 0.4, 0.4, 0.4])


def test_cosine_falls_from_the_peak_to_its_last_fraction():
    got = rates([0, 5, 10, 15], total_steps=10, schedule="cosine", final_fraction=0.1)
    # Half way the cosine stands at .5: .4 * (.9 * .5 + .1).
    assert got == pytest.approx([0.4, 0.22, 0.04, 0.04], rel=1e-5)


def test_cosine_with_a_warm_up_ends_with_the_run():
    options = {"schedule": "cosine", "warmup_steps": 4, "final_fraction": 0.0}
    got = rates([0, 2, 4, 7, 10], total_steps=10, **options)
    # Three of the six steps after the warm-up: half.
    assert got == pytest.approx([0.0, 0.2, 0.4, 0.2, 0.0], abs=1e-6)


def test_a_run_shorter_than_its_warm_up_has_a_schedule():
    assert rates([1], total_steps=2, schedule="cosine", warmup_steps=4) == pytest.approx([0.1])


def test_sgd_decays_as_pytorch_does_in_the_book():
    weight = keras.Variable(np.array([2.0, -3.0], "float32"), name="bias")
    optimizer = build_optimizer("sgd", learning_rate=0.2, total_steps=1, weight_decay=0.1)
    gradient = np.array([0.5, 0.25], "float32")
    optimizer.apply([ops.convert_to_tensor(gradient)], [weight])
    # torch.optim.SGD: w - lr * (g + decay * w), biases included.
    expected = [2 - 0.2 * (0.5 + 0.1 * 2), -3 - 0.2 * (0.25 + 0.1 * -3)]
    np.testing.assert_allclose(ops.convert_to_numpy(weight), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize(
    ("weight", "decays"), [("kernel", True), ("bias", False), ("gamma", False)]
)
def test_adam_decays_kernels_only(name, weight, decays):
    variables = [keras.Variable(np.ones(3, "float32"), name=n) for n in ("kernel", weight)]
    optimizer = build_optimizer(name, learning_rate=0.1, total_steps=1, weight_decay=0.5)
    optimizer.apply([ops.zeros((3,))] * 2, variables)
    # Without a gradient Adam stands still: 1 - .1 * .5 is the decay alone.
    expected = 0.95 if decays else 1.0
    np.testing.assert_allclose(ops.convert_to_numpy(variables[1]), expected, rtol=1e-6)


def test_clipping_bounds_the_norm_of_all_gradients_together():
    variables = [keras.Variable(np.zeros(1, "float32")) for _ in range(2)]
    optimizer = build_optimizer("sgd", learning_rate=1.0, total_steps=1, clip_norm=1.0)
    optimizer.apply([ops.convert_to_tensor([3.0]), ops.convert_to_tensor([4.0])], variables)
    # (3, 4) has norm 5.
    got = [float(ops.convert_to_numpy(variable)[0]) for variable in variables]
    assert got == pytest.approx([-0.6, -0.8])


def test_momentum_reaches_sgd():
    assert build_optimizer("sgd", learning_rate=0.1, total_steps=1, momentum=0.9).momentum == 0.9


@pytest.mark.parametrize("options", [{"name": "lion"}, {"name": "sgd", "schedule": "step"}])
def test_unknown_names_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        build_optimizer(**options, learning_rate=0.1, total_steps=1)
