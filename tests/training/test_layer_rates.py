"""Rates by layer: ten times the rate is ten times the rate, and nothing else changes."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.training import build_optimizer, restore_checkpoint, save_checkpoint
from zoo.training.layer_rates import key_of

NAMES = ("sgd", "adam", "adamw")
RNG = np.random.default_rng(0)
PICTURES, LABELS = RNG.normal(size=(8, 5)).astype("float32"), RNG.integers(0, 3, 8)


def model(**options):
    """Two dense layers, "body" and "head", the same weights each time, compiled."""
    keras.utils.set_random_seed(3)
    body = keras.layers.Dense(4, activation="tanh", name="body")
    net = keras.Sequential([keras.Input((5,)), body, keras.layers.Dense(3, name="head")])
    options = {"learning_rate": 0.02, "total_steps": 10} | options
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(build_optimizer(options.pop("name"), **options), loss, jit_compile=False)
    net.optimizer.build(net.trainable_variables)
    return net


def train(net, steps):
    net.fit(PICTURES, LABELS, batch_size=8, epochs=steps, shuffle=False, verbose=0)
    return net.get_weights()


def momentum_of(name):
    return {"momentum": 0.9} if name == "sgd" else {}


@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_the_head_is_that_of_ten_times_the_rate(name):
    """Its gradient is that of the same weights: of the first step, whatever the optimizer."""
    options = {"name": name, "weight_decay": 0.1} | momentum_of(name)
    scaled = train(model(multipliers={"head": 10}, **options), 1)
    slow, fast = train(model(**options), 1), train(model(learning_rate=0.2, **options), 1)
    for got, wanted in zip(scaled, [*slow[:2], *fast[2:]], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_ten_everywhere_is_a_run_at_ten_times_the_rate(name):
    options = {"name": name, "weight_decay": 0.1, "schedule": "cosine", "warmup_steps": 2}
    options |= {"clip_norm": 0.5} | momentum_of(name)
    scaled = train(model(multipliers={"head": 10, "body": 10}, **options), 5)
    fast = train(model(learning_rate=0.2, **options), 5)
    for got, wanted in zip(scaled, fast, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6)


def test_three_steps_of_momentum_by_hand():
    weights = [keras.Variable([1.0], name="kernel"), keras.Variable([1.0], name="kernel")]
    optimizer = build_optimizer(
        "sgd", learning_rate=0.1, total_steps=3, momentum=0.5, multipliers={"kernel": 4}
    )
    for _ in range(3):
        optimizer.apply([ops.convert_to_tensor([1.0])] * 2, weights)
    # Velocities .4, .6, .7 of a gradient that stays 1: the rate is .1 * 4.
    for weight in weights:
        got = ops.convert_to_numpy(weight)
        np.testing.assert_allclose(got, [1 - 0.4 - 0.6 - 0.7], atol=1e-6)


def test_the_decay_takes_the_layers_rate():
    weights = [keras.Variable(np.ones(2, "float32"), name=name) for name in ("head", "body")]
    optimizer = build_optimizer(
        "adamw", learning_rate=0.1, total_steps=1, weight_decay=0.5, multipliers={"head": 3}
    )
    optimizer.apply([ops.zeros((2,))] * 2, weights)
    # Without a gradient Adam stands still: 1 - .1 * 3 * .5, and 1 - .1 * .5.
    got = [ops.convert_to_numpy(weight)[0] for weight in weights]
    assert got == pytest.approx([0.85, 0.95], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_held_layer_stands_still_under_a_compiled_step(name):
    net = model(name=name, weight_decay=0.1, multipliers={"head": 10, "body": 1})
    net.optimizer.hold(["body"])
    before = net.get_weights()
    during = train(net, 2)
    np.testing.assert_array_equal(during[0], before[0])
    assert np.abs(during[2] - before[2]).max() > 0
    net.optimizer.hold([])
    assert np.abs(train(net, 1)[0] - during[0]).max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_is_the_uninterrupted_one(name, tmp_path):
    options = {"name": name, "weight_decay": 0.1, "schedule": "cosine"} | momentum_of(name)
    options["multipliers"] = {"head": 10, "body": 0.3}
    whole = model(**options)
    train(whole, 2)
    whole.optimizer.hold(["body"])
    save_checkpoint(tmp_path / "two.npz", whole, 2)
    resumed = model(**options)
    assert restore_checkpoint(tmp_path / "two.npz", resumed) == 2
    for got, wanted in zip(train(resumed, 2), train(whole, 2), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_the_longest_key_of_a_path_counts():
    keys = ["backbone", "backbone/block_1", "head"]
    assert key_of("classifier/backbone/block_1/conv/kernel", keys) == "backbone/block_1"
    assert key_of("backbone/block_10/conv/kernel", keys) == "backbone"
    assert key_of("forehead/kernel", keys) is None


def test_its_config_gives_it_back():
    optimizer = build_optimizer("adam", learning_rate=0.1, total_steps=1, multipliers={"head": 10})
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert again.multipliers == {"head": 10}


def test_bad_multipliers_are_told():
    with pytest.raises(ValueError, match="must not be negative; got -1 for 'head'"):
        model(name="sgd", multipliers={"head": -1})
    with pytest.raises(ValueError, match="layers without trainable weights: heat"):
        model(name="sgd", multipliers={"heat": 10})
    with pytest.raises(ValueError, match="no multiplier was given for body"):
        model(name="sgd", multipliers={"head": 10}).optimizer.hold(["body"])
