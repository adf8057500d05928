"""Normalize: pixels of any dtype to the network's numbers."""

import numpy as np
import pytest
from cases import check_layer
from compilation import gradient
from keras import ops

from zoo.layers import Normalize


def test_the_contract_of_a_layer_holds():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3)).astype("uint8")
    check_layer(
        Normalize([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]), images, shapes=(2, 3, 4, 3), trainable=0
    )


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_every_dtype_gives_pixels_over_255_less_mean_over_std(dtype):
    images = np.arange(24).reshape((1, 2, 4, 3)) * 10
    got = ops.convert_to_numpy(Normalize([0.4, 0.5, 0.6], 0.25)(images.astype(dtype)))
    np.testing.assert_allclose(got, (images / 255 - [0.4, 0.5, 0.6]) / 0.25, atol=1e-6)


def test_bfloat16_rounds_the_result_not_the_pixel():
    # 201 needs 8 bits and 201.6 more: rounded to bfloat16 first it would be 202, .4 / 255 off.
    images = np.full((1, 1, 1, 3), 201.6, "float32")
    got = Normalize(mean=201.0 / 255, dtype="mixed_bfloat16")(images)
    assert "bfloat16" in str(got.dtype)
    exact = 0.6 / 255
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(got, "float32")), exact, rtol=0.01)


def test_a_gradient_reaches_the_pixels():
    slope = gradient(Normalize([0.4, 0.5, 0.6], [0.1, 0.2, 0.4]), np.zeros((1, 1, 2, 3)))
    np.testing.assert_allclose(slope[0, 0], [[10 / 255, 5 / 255, 2.5 / 255]] * 2, rtol=1e-5)


@pytest.mark.parametrize("std", [0, -0.1, [0.2, 0.0, 0.3]])
def test_a_std_that_is_not_positive_is_refused(std):
    with pytest.raises(ValueError, match="std must be positive"):
        Normalize(std=std)
