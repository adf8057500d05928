"""Sections 13.10 and 13.11.2 of the book: its printed values, under its names and the zoo's."""

import numpy as np
import pytest
from keras import ops

from zoo import d2l
from zoo.layers import TransposedConv
from zoo.ops import conv_matrix, transposed_conv

X = np.float32([[0, 1], [2, 3]])
K = np.float32([[0, 1], [2, 3]])


def plane(**options):
    kernel = K[:, :, None, None]
    return ops.convert_to_numpy(transposed_conv(X[None, :, :, None], kernel, **options))[0, :, :, 0]


def test_the_books_example():
    expected = [[0, 0, 1], [0, 4, 6], [4, 12, 9]]
    np.testing.assert_array_equal(d2l.trans_conv(X, K), expected)
    np.testing.assert_array_equal(plane(), expected)


def test_padding_removes_the_first_and_last_rows_and_columns():
    np.testing.assert_array_equal(plane(padding=1), [[4]])


def test_strides_lay_the_kernels_apart():
    expected = [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]]
    np.testing.assert_array_equal(plane(strides=2), expected)


def test_a_transposed_convolution_restores_the_shape():
    # nn.Conv2d(10, 20, kernel_size=5, padding=2, stride=3) and nn.ConvTranspose2d of the same.
    features = np.random.default_rng(0).normal(size=(1, 16, 16, 10)).astype("float32")
    kernel = np.random.default_rng(1).normal(size=(5, 5, 10, 20)).astype("float32")
    padded = np.pad(features, [(0, 0), (2, 2), (2, 2), (0, 0)])
    smaller = ops.conv(padded, kernel, 3, padding="valid", data_format="channels_last")
    assert TransposedConv(10, 5, strides=3, padding=2)(smaller).shape == features.shape


def test_the_matrix_of_a_kernel_is_the_books():
    matrix = [
        [1, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]
    kernel = np.float32([[1, 2], [3, 4]])
    np.testing.assert_array_equal(d2l.kernel2matrix(kernel), matrix)
    np.testing.assert_array_equal(conv_matrix(kernel, (3, 3)), matrix)
    # corr2d(arange(9), K) in the book, and trans_conv of it: Z == (W.T @ Y).
    convolved = ops.matmul(matrix, np.arange(9, dtype="float32"))
    np.testing.assert_array_equal(convolved, [27, 37, 57, 67])
    back = d2l.trans_conv(np.float32([[27, 37], [57, 67]]), kernel)
    np.testing.assert_array_equal(ops.matmul(np.transpose(matrix), convolved), np.ravel(back))


@pytest.mark.parametrize(
    ("size", "row"), [(4, [0.25, 0.75, 0.75, 0.25]), (3, [0.5, 1, 0.5])]
)  # 1 - |i - centre| / factor, with factor 2 and centre 1.5 or 1
def test_the_bilinear_kernel_is_the_books(size, row):
    kernel = ops.convert_to_numpy(d2l.bilinear_kernel(2, 2, size))
    expected = np.zeros((2, 2, size, size))
    expected[[0, 1], [0, 1]] = np.outer(row, row)
    np.testing.assert_allclose(kernel, expected, atol=1e-7)
