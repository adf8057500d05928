"""The layer of transposed convolution: its contract, and what its initializer makes of it."""

import keras
import numpy as np
import pytest
from cases import check_layer

from zoo.layers import BilinearInitializer, TransposedConv


def test_the_contract_of_a_layer_holds():
    features = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    layer = TransposedConv(3, 4, strides=2, padding=1)
    check_layer(layer, features, shapes=(2, 6, 8, 3), trainable=2)
    plain = TransposedConv(2, 3, use_bias=False)
    check_layer(plain, features, shapes=(2, 5, 6, 2), trainable=1)


def test_unknown_sides_stay_unknown():
    layer = TransposedConv(3, 64, strides=32, padding=16)
    assert layer.compute_output_shape((None, None, 15, 3)) == (None, None, 480, 3)


def test_begun_bilinear_it_keeps_a_plain_map():
    layer = TransposedConv(
        2, 4, strides=2, padding=1, kernel_initializer=BilinearInitializer(), use_bias=False
    )
    enlarged = keras.ops.convert_to_numpy(layer(np.full((1, 4, 4, 2), 3.0, "float32")))
    np.testing.assert_allclose(enlarged[:, 1:-1, 1:-1], 3.0, atol=1e-6)


def test_padding_that_leaves_nothing_is_told():
    with pytest.raises(ValueError, match=r"takes all of the output of \(1, 1\) cells"):
        TransposedConv(1, 2, padding=1).build((None, 1, 1, 1))
    with pytest.raises(ValueError, match="padding must be at least 0; got -1"):
        TransposedConv(1, 2, padding=-1)
