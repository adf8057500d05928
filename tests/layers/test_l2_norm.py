"""Each cell's features are brought to one length."""

import keras
import numpy as np
from cases import check_layer

from zoo.layers import L2Norm


def test_every_cell_has_the_length_of_the_scale():
    features = np.random.default_rng(0).normal(0, 40, (2, 3, 4, 8)).astype("float32")
    outputs = keras.ops.convert_to_numpy(L2Norm(scale=20.0)(features))
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=-1), 20.0, rtol=1e-5)
    ratio = outputs / features  # one factor a cell: directions stay
    np.testing.assert_allclose(ratio, ratio[..., :1] * np.ones(8), rtol=1e-4)


def test_a_cell_without_features_stays_zero():
    outputs = keras.ops.convert_to_numpy(L2Norm()(np.zeros((1, 1, 1, 4), "float32")))
    np.testing.assert_array_equal(outputs, 0.0)


def test_the_contract_of_a_layer_holds():
    features = np.random.default_rng(1).random((2, 3, 3, 4), "float32")
    check_layer(L2Norm(), features, shapes=(2, 3, 3, 4), trainable=1)
