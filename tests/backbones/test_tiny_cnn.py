"""TinyCNN and its block, equal to the book's order of operations."""

import keras
import numpy as np
import pytest
from cases import check_layer, compiled
from keras import ops

from zoo.backbones import TinyCNN
from zoo.backbones.tiny_cnn import DownSampleBlock
from zoo.layers.layout import from_native, native_shape, to_native


def pictures(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return ops.convert_to_tensor(values)


def test_the_five_levels_at_256_are_the_books():
    shapes = TinyCNN().compute_output_shape((32, 256, 256, 3))
    # Book 13.7: 32x32 with 64 channels, 16x16, 8x8, 4x4 with 128, and the global maximum.
    expected = [(32, s, s, 64 if s == 32 else 128) for s in (32, 16, 8, 4, 1)]
    assert shapes == expected


@pytest.mark.parametrize("size", [(64, 64), (96, 70)])
def test_computed_shapes_are_the_declared_ones(size):
    backbone = TinyCNN((4, 4, 4), (5, 6, 7))
    backbone.build((2, *size, 3))
    levels = compiled(lambda images: backbone(images))(pictures(2, *size, 3))
    assert [tuple(level.shape) for level in levels] == backbone.compute_output_shape((2, *size, 3))


def test_the_contract_of_a_layer_holds():
    check_layer(
        TinyCNN((4, 5, 6), (7, 7, 7)),
        pictures(2, 64, 64, 3),
        shapes=[(2, 8, 8, 6), (2, 4, 4, 7), (2, 2, 2, 7), (2, 1, 1, 7), (2, 1, 1, 7)],
        trainable=36,  # 6 blocks of 2 x (kernel, gamma, beta)
        non_trainable=24,  # 6 blocks of 2 x (moving mean, moving variance)
    )


def test_the_last_level_is_the_maximum_of_the_one_before():
    backbone = TinyCNN((4, 4, 4), (5, 6, 7))
    levels = [ops.convert_to_numpy(level) for level in backbone(pictures(2, 64, 64, 3))]
    np.testing.assert_array_equal(levels[4], levels[3].max(axis=(1, 2), keepdims=True))


class BookBlock(keras.Model):
    """down_sample_blk of book 13.7.1: twice (convolution with bias, norm, ReLU), then pooling."""

    def __init__(self, filters):
        super().__init__()
        self.convolutions = [keras.layers.Conv2D(filters, 3, padding="same") for _ in range(2)]
        self.norms = [keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5) for _ in range(2)]
        self.pool = keras.layers.MaxPooling2D(2)

    def call(self, features, training=False):
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = ops.relu(norm(convolution(features), training=training))
        return self.pool(features)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(y_pred - ops.convert_to_tensor(y)))


class OurBlock(BookBlock):
    """The block of zoo behind the same doors."""

    def __init__(self, filters):
        keras.Model.__init__(self)
        self.block = DownSampleBlock(filters)
        self.convolutions, self.norms = self.block.convolutions, self.block.norms

    def build(self, shape):
        self.block.build(native_shape(shape))
        self.built = True

    def call(self, features, training=False):
        return from_native(self.block(to_native(features), training=training))


@pytest.fixture
def both_blocks():
    """Two blocks of one start; the book's biases are not zero, so that they must cancel."""
    rng = np.random.default_rng(7)
    ours, book = OurBlock(5), BookBlock(5)
    images = pictures(4, 8, 10, 3)
    ours(images), book(images)
    for our, theirs in zip(ours.convolutions, book.convolutions, strict=True):
        theirs.set_weights([our.get_weights()[0], rng.normal(size=5)])
    for our, theirs in zip(ours.norms, book.norms, strict=True):
        values = [rng.uniform(0.5, 1.5, 5), rng.normal(size=5), np.zeros(5), np.ones(5)]
        our.set_weights(values), theirs.set_weights(values)
    return ours, book, images


def test_the_block_equals_the_books_order_forward(both_blocks):
    *blocks, images = both_blocks
    got, expected = (ops.convert_to_numpy(block(images, training=True)) for block in blocks)
    # The book's bias shifts a channel and its mean alike: float32 rounding is all that is left.
    # 2.3e-5 was seen on a value of 2.5.
    np.testing.assert_allclose(got, expected, atol=2e-5, rtol=2e-5)


def test_the_block_equals_the_books_order_in_its_gradients(both_blocks):
    ours, book, images = both_blocks
    target = np.random.default_rng(8).normal(size=(4, 4, 5, 5)).astype("float32")
    steps = []
    for block in (ours, book):
        block.compile(optimizer=keras.optimizers.SGD(1.0))
        before = trained_weights(block)
        block.train_on_batch(images, target)
        steps.append([old - new for old, new in zip(before, trained_weights(block), strict=True)])
    for got, expected in zip(*steps, strict=True):
        scale = np.abs(expected).max()
        assert scale > 0
        np.testing.assert_allclose(got, expected, atol=1e-4 * scale)
    for layer in book.convolutions:
        # The bias that we leave out learns nothing: its gradient is rounding.
        assert np.abs(layer.get_weights()[1] - layer.bias_before).max() < 1e-5


def trained_weights(block):
    for layer in block.convolutions:
        layer.bias_before = layer.get_weights()[-1]
    kernels = [layer.get_weights()[0] for layer in block.convolutions]
    return kernels + [weight for norm in block.norms for weight in norm.get_weights()[:2]]


def test_moving_means_differ_by_the_bias_alone(both_blocks):
    ours, book, images = both_blocks
    for block in (ours, book):
        block(images, training=True)
    for i in range(2):
        bias = book.convolutions[i].get_weights()[1]
        gap = book.norms[i].get_weights()[2] - ours.norms[i].get_weights()[2]
        # One update at momentum .9 takes a tenth of the bias in.
        np.testing.assert_allclose(gap, 0.1 * bias, atol=1e-5)
        np.testing.assert_allclose(
            book.norms[i].get_weights()[3], ours.norms[i].get_weights()[3], rtol=1e-4
        )
