"""Convolution with what follows it is that of Keras' layers one after another."""

import keras
import numpy as np
import pytest
from cases import compiled
from keras import ops

from zoo.layers import BatchNorm
from zoo.layers.convolution import add_relu, convolve, pad_shape, project
from zoo.layers.layout import from_native, native_channel_axis, native_data_format, to_native

# float32: the same sums in another order. bfloat16: 8 bits kept, of kernel, features and result.
TOLERANCES = {"float32": 1e-5, "mixed_bfloat16": 3e-2}


def features(shape=(2, 9, 8, 3)):
    values = np.random.default_rng(0).normal(size=shape).astype("float32")
    return ops.convert_to_numpy(to_native(ops.convert_to_tensor(values)))


def conv_layer(margin=0, **options):
    layer = keras.layers.Conv2D(4, data_format=native_data_format(), **options)
    layer.build(pad_shape(features().shape, margin))
    if layer.use_bias:
        layer.bias.assign(np.linspace(-1, 1, 4))
    return layer


def norm_layer():
    rng = np.random.default_rng(1)
    layer = BatchNorm(axis=native_channel_axis(), epsilon=1e-2)
    layer.build(from_native(np.zeros((1, 4, 4, 4))).shape)
    layer.set_weights([rng.uniform(0.5, 2, 4), *rng.normal(size=(2, 4)), rng.uniform(0.5, 2, 4)])
    return layer


def one_after_another(conv, norm, margin, relu):
    """The same by Keras alone."""
    zeros = keras.layers.ZeroPadding2D(margin, data_format=native_data_format())
    outputs = conv(zeros(features()))
    if norm is not None:
        outputs = keras.layers.BatchNormalization.call(norm, outputs, training=False)
    return ops.relu(outputs) if relu else outputs


CASES = {
    "halving": ({"kernel_size": 3, "strides": 2, "use_bias": False}, 1, True),
    "same": ({"kernel_size": (3, 5), "padding": "same"}, 0, False),
    "dilated": ({"kernel_size": 3, "padding": "same", "dilation_rate": 2}, 0, True),
    "even kernel": ({"kernel_size": 2, "padding": "same"}, 0, True),
    "same and halving": ({"kernel_size": 3, "padding": "same", "strides": 2}, 0, False),
}


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("policy", TOLERANCES)
@pytest.mark.parametrize("case", CASES)
def test_it_is_layers_one_after_another(case, policy, normed):
    options, margin, relu = CASES[case]
    conv, norm = conv_layer(margin, dtype=policy, **options), norm_layer() if normed else None
    wanted = one_after_another(conv, norm, margin, relu)
    found = compiled(lambda x: convolve(conv, x, norm=norm, margin=margin, relu=relu))(features())
    assert keras.backend.standardize_dtype(found.dtype) == conv.compute_dtype
    wanted, found = (ops.convert_to_numpy(ops.cast(some, "float32")) for some in (wanted, found))
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, atol=TOLERANCES[policy] * scale, rtol=0)


def test_a_projection_is_a_dense_layer():
    inputs = np.random.default_rng(0).normal(size=(2, 5, 7)).astype("float32")
    dense = keras.layers.Dense(6, bias_initializer="ones")
    wanted = ops.convert_to_numpy(ops.relu(dense(inputs)))
    found = compiled(lambda x: project(dense, x, relu=True))(inputs)
    np.testing.assert_allclose(ops.convert_to_numpy(found), wanted, atol=1e-5)


def test_a_sum_is_rectified():
    found = add_relu(ops.convert_to_tensor([1.0, -3.0]), ops.convert_to_tensor([-0.5, 1.0]))
    assert ops.convert_to_numpy(found).tolist() == [0.5, 0.0]
