"""Bilinear resizing, against Keras' own and a value by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.ops.resize import resize_bilinear


@pytest.mark.parametrize("size", [(24, 40), (5, 7), (3, 5)])
def test_enlarging_is_keras_own(size):
    maps = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    wanted = ops.image.resize(maps, size, interpolation="bilinear", data_format="channels_last")
    found = ops.convert_to_numpy(resize_bilinear(maps, size))
    np.testing.assert_allclose(found, ops.convert_to_numpy(wanted), atol=1e-5)


def test_a_pixel_between_two_cells_is_their_mixture():
    # Of two cells on four pixels, centres lie at -.25, .25, .75 and 1.25: clamped at the ends.
    maps = np.array([0.0, 4.0], "float32").reshape(1, 1, 2, 1)
    found = ops.convert_to_numpy(resize_bilinear(maps, (1, 4))).ravel()
    np.testing.assert_allclose(found, [0, 1, 3, 4], atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sizes are static elsewhere")
def test_a_size_may_be_known_at_run_time_only():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 2)), tf.TensorSpec((2,), tf.int32)])
    def resized(maps, size):
        return resize_bilinear(maps, (size[0], size[1]))

    assert resized(np.ones((1, 2, 3, 2), "float32"), [6, 5]).shape == (1, 6, 5, 2)
