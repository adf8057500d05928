"""Ways to run a function on the running backend: compiled, and with its gradient."""

import keras
import numpy as np
from keras import ops


def compiled(function):
    """Compile a function of tensors as `predict` would; PyTorch stays eager."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function


def gradient(function, value):
    """Gradient of the sum of `function(value)` as a NumPy array."""
    value = ops.convert_to_tensor(np.asarray(value, "float32"))
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: ops.sum(function(x)))(value))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(value)
            total = ops.sum(function(value))
        return tf.convert_to_tensor(tape.gradient(total, value)).numpy()
    value.requires_grad_(True)
    ops.sum(function(value)).backward()
    return value.grad.numpy()
