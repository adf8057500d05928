"""Weight initializers that Keras does not name."""

import keras


def torch_default_initializer():
    """Return PyTorch's default for convolutions, U(+-1 / sqrt(fan_in)), as the book trains from."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")
