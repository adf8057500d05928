"""BatchNorm is keras.layers.BatchNormalization, whatever kernel computes it."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import BatchNorm
from zoo.layers.layout import native_channel_axis

# float32: the same sums in another order. bfloat16: 8 bits kept, rounded once at the output.
TOLERANCES = {"float32": 2e-5, "mixed_bfloat16": 2e-2}


def features(shape=(4, 6, 5, 3), seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(3.0, 2.0, shape) * np.array([1.0, 0.1, 20.0])
    if native_channel_axis() == 1:
        values = values.transpose(0, 3, 1, 2)
    return values.astype("float32")


def pair(policy, shape):
    rng = np.random.default_rng(1)
    layers = []
    for cls in (BatchNorm, keras.layers.BatchNormalization):
        layer = cls(axis=native_channel_axis(), momentum=0.9, epsilon=1e-5, dtype=policy)
        layer.build(shape)
        layers.append(layer)
    weights = [rng.uniform(0.5, 2.0, 3), rng.normal(size=3), rng.normal(size=3)]
    weights.append(rng.uniform(0.5, 2.0, 3))
    for layer in layers:
        layer.set_weights(weights)
    return layers


def compute(policy, values):
    return ops.cast(values, "bfloat16" if policy == "mixed_bfloat16" else "float32")


def to_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@pytest.mark.parametrize("policy", TOLERANCES)
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_moving_statistics_are_those_of_keras(policy, training):
    values = features()
    ours, theirs = pair(policy, values.shape)
    for _ in range(3):
        inputs = compute(policy, values)
        got, expected = ours(inputs, training=training), theirs(inputs, training=training)
        assert got.dtype == expected.dtype
        scale = np.abs(to_numpy(expected)).max()
        limit = TOLERANCES[policy] * scale
        np.testing.assert_allclose(to_numpy(got), to_numpy(expected), atol=limit, rtol=0)
    for ours_weight, their_weight in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        # The statistics are accumulated in float32 under both policies.
        np.testing.assert_allclose(ours_weight, their_weight, rtol=2e-5, atol=1e-5)


def test_moving_variance_is_the_biased_one():
    values = features((2, 2, 1, 3))
    ours, _ = pair("float32", values.shape)
    before = ours.get_weights()[3]
    ours(values, training=True)
    axes = tuple(axis for axis in range(4) if axis != native_channel_axis())
    # numpy's var divides by n, as Keras does; PyTorch's own layer would divide by n - 1 here.
    np.testing.assert_allclose(
        ours.get_weights()[3], 0.9 * before + 0.1 * values.var(axis=axes), rtol=1e-5
    )


def test_a_constant_channel_has_no_variance_and_no_nan():
    values = np.full_like(features(), 7.0)
    ours, _ = pair("float32", values.shape)
    outputs = to_numpy(ours(values, training=True))
    beta = ours.get_weights()[1]
    shape = [1, -1, 1, 1] if native_channel_axis() == 1 else [1, 1, 1, -1]
    np.testing.assert_allclose(
        outputs, np.broadcast_to(beta.reshape(shape), outputs.shape), atol=1e-3
    )
    # 0.9 of what was there, and a variance of 0.
    assert np.isfinite(ours.get_weights()[3]).all()
    assert (ours.get_weights()[3] >= 0).all()


def test_frozen_it_keeps_its_statistics_and_uses_them():
    values = features()
    ours, theirs = pair("float32", values.shape)
    ours.trainable = theirs.trainable = False
    before = ours.get_weights()
    got = to_numpy(ours(values, training=True))
    for old, new in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(got, to_numpy(theirs(values, training=True)), rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="elsewhere it is Keras' own step")
@pytest.mark.parametrize("policy", TOLERANCES)
def test_gradients_are_those_of_keras(policy):
    values = features()
    weights = np.random.default_rng(2).normal(size=values.shape).astype("float32")
    ours, theirs = pair(policy, values.shape)
    got, expected = (step_of(layer, policy, values, weights) for layer in (ours, theirs))
    for name in expected:
        scale = np.abs(expected[name]).max()
        limit = TOLERANCES[policy] * scale
        np.testing.assert_allclose(got[name], expected[name], atol=limit, rtol=0, err_msg=name)


class Weighted(keras.Model):
    """A sum of weighted outputs, so that one step of SGD shows every gradient."""

    def __init__(self, layer, values, policy):
        super().__init__(dtype=policy)
        self.norm = layer
        self.shift = self.add_weight(shape=values.shape[1:], initializer="zeros", name="shift")

    def call(self, inputs, training=False):
        return self.norm(inputs + ops.cast(self.shift, inputs.dtype), training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.sum(ops.cast(y_pred, "float32") * ops.convert_to_tensor(y))


def step_of(layer, policy, values, weights):
    """Gradients of gamma, beta and the input (summed over the batch) by one step of SGD at 1."""
    model = Weighted(layer, values, policy)
    model.compile(optimizer=keras.optimizers.SGD(1.0), jit_compile=False)
    names = ("gamma", "beta", "shift")
    variables = (layer.gamma, layer.beta, model.shift)
    # Copies: on TensorFlow an array may share the memory that the step writes to.
    before = [to_numpy(variable).copy() for variable in variables]
    model.train_on_batch(values, weights)
    after = [to_numpy(variable) for variable in variables]
    return {n: old - new for n, old, new in zip(names, before, after, strict=True)}


def test_it_survives_serialisation():
    layer = BatchNorm(axis=1, momentum=0.8, epsilon=1e-4)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (twin.axis, twin.momentum, twin.epsilon) == (1, 0.8, 1e-4)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the fused kernel is PyTorch's")
def test_torch_takes_the_fused_kernel(monkeypatch):
    ours, _ = pair("float32", (4, 3, 6, 5))
    monkeypatch.setattr(keras.layers.BatchNormalization, "call", None)
    ours(features(), training=True)
    ours(features(), training=False)
