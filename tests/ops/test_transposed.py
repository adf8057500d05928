"""Transposed convolution against a loop and its matrix; the bilinear kernel against resizing."""

import keras
import numpy as np
import pytest
from compilation import compiled, gradient
from keras import ops

from zoo.ops import bilinear_kernel, conv_matrix, transposed_conv

# Kernels longer than, as long as and shorter than the strides; even and odd; padded or not.
CASES = [(3, 1, 0), (3, 1, 1), (4, 2, 1), (5, 3, 2), (2, 2, 0), (2, 3, 0), (1, 2, 0), (3, 2, 1)]


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def looped(features, kernel, strides, padding):
    """The book's trans_conv, with channels, strides and padding."""
    batch, height, width, _ = features.shape
    h, w, out, _ = kernel.shape
    shape = (batch, (height - 1) * strides + h, (width - 1) * strides + w, out)
    total = np.zeros(shape)
    for i in range(height):
        for j in range(width):
            place = (slice(None), slice(i * strides, i * strides + h))
            place += (slice(j * strides, j * strides + w),)
            total[place] += np.einsum("bi,hwoi->bhwo", features[:, i, j], kernel)
    return total[:, padding : shape[1] - padding, padding : shape[2] - padding]


@pytest.mark.parametrize(("size", "strides", "padding"), CASES)
def test_it_is_the_loops_sum(size, strides, padding):
    features, kernel = random(2, 4, 3, 5), random(size, size, 2, 5)
    found = transposed_conv(features, kernel, strides=strides, padding=padding)
    expected = looped(features, kernel, strides, padding)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("size", "strides", "padding"), CASES)
def test_it_is_the_product_with_the_transposed_matrix(size, strides, padding):
    kernel = random(size, size, 2, 3) / size
    # A map that the strides cut up without rest: then both ways lead to the same sizes.
    side = 2 * strides + size - 2 * padding
    matrix = ops.convert_to_numpy(
        conv_matrix(kernel, (side, side), strides=strides, padding=padding)
    )
    answers = random(1, 3, 3, 3)
    found = ops.convert_to_numpy(transposed_conv(answers, kernel, strides=strides, padding=padding))
    assert found.shape == (1, side, side, 2)
    np.testing.assert_allclose(found.ravel(), matrix.T @ answers.ravel(), atol=1e-6)


def test_its_gradient_is_the_convolution():
    kernel = random(4, 4, 2, 3)
    matrix = ops.convert_to_numpy(conv_matrix(kernel, (6, 6), strides=2, padding=1))
    weights = random(1, 6, 6, 2)
    factors = ops.convert_to_tensor(weights)
    found = gradient(
        lambda y: transposed_conv(y, kernel, strides=2, padding=1) * factors, random(1, 3, 3, 3)
    )
    np.testing.assert_allclose(found.ravel(), matrix @ weights.ravel(), atol=1e-5)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_with_a_bilinear_kernel_it_is_bilinear_resizing_inside_the_border(factor):
    features = random(1, 6, 5, 3)
    kernel = bilinear_kernel(2 * factor, 3, 3)
    found = transposed_conv(features, kernel, strides=factor, padding=factor // 2)
    resized = ops.image.resize(
        features, (6 * factor, 5 * factor), interpolation="bilinear", data_format="channels_last"
    )
    inside = slice(factor // 2, -(factor // 2))
    pairs = [ops.convert_to_numpy(maps)[:, inside, inside] for maps in (found, resized)]
    np.testing.assert_allclose(*pairs, atol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow traces without sizes"
)
@pytest.mark.parametrize(("size", "strides", "padding"), [(4, 2, 1), (5, 3, 2)])
def test_the_sizes_may_be_unknown(size, strides, padding):
    import tensorflow as tf

    kernel = random(size, size, 2, 3)
    run = tf.function(
        lambda y: transposed_conv(y, kernel, strides=strides, padding=padding),
        input_signature=[tf.TensorSpec((None, None, None, 3))],
    )
    for features in (random(1, 2, 3, 3), random(2, 4, 1, 3)):
        expected = looped(features, kernel, strides, padding)
        np.testing.assert_allclose(run(features), expected, atol=1e-5)


def test_it_compiles():
    features, kernel = random(1, 3, 3, 2), random(4, 4, 2, 2)
    run = compiled(lambda y: transposed_conv(y, kernel, strides=2, padding=1))
    np.testing.assert_allclose(run(features), looped(features, kernel, 2, 1), atol=1e-5)


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match=r"in=5 as the features have; got \(3, 3, 5, 2\)\. Is it"):
        transposed_conv(random(1, 2, 2, 5), random(3, 3, 5, 2))
    with pytest.raises(ValueError, match="must be equal; got 2 and 3"):
        bilinear_kernel(4, 2, 3)
    with pytest.raises(ValueError, match=r"\(2, 2\) cells with padding 0 has no place"):
        conv_matrix(random(3, 3), (2, 2))
    with pytest.raises(ValueError, match=r"and an input_shape \(H, W\); got"):
        conv_matrix(random(3, 3), (2, 2, 1))
