"""Section 13.12 of the book: the losses of style transfer, against its formulas in NumPy."""

import numpy as np
import pytest
from keras import ops

from zoo import d2l

RANDOM = np.random.default_rng(0)
FEATURES, OTHERS = RANDOM.normal(size=(2, 1, 3, 4, 5)).astype("float32")
ROWS = FEATURES.reshape(3, 20)
GRAM = ROWS @ ROWS.T / 60


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def test_content_loss_is_the_mean_square():
    expected = np.mean((FEATURES - OTHERS) ** 2)
    assert number(d2l.content_loss(FEATURES, OTHERS)) == pytest.approx(expected, rel=1e-5)


def test_gram_divides_by_channels_and_cells():
    np.testing.assert_allclose(ops.convert_to_numpy(d2l.gram(FEATURES)), GRAM, rtol=1e-5)


def test_style_loss_compares_gram_matrices():
    other = np.eye(3, dtype="float32")
    expected = np.mean((GRAM - other) ** 2)
    assert number(d2l.style_loss(FEATURES, other)) == pytest.approx(expected, rel=1e-5)


def test_tv_loss_is_half_of_two_means():
    # Down 2 and 5, mean 3.5; right 1 and 4, mean 2.5.
    assert number(d2l.tv_loss(np.float32([[[[1, 2], [3, 7]]]]))) == 3
