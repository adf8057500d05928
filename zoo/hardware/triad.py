"""STREAM's triad, a = b + s * c, as each backend does it in one pass over memory it has already.

A result in fresh memory would be a measurement of the system's page faults: on JAX, which asks for
it anew each time, a fifth of the rate.
"""

import keras


def prepare_triad(a, b, c, scale=3.0):
    """Return a function without arguments that computes the triad and returns the result.

    Args:
        a, b, c: (N, M) tensors of the running backend; the memory of `a` is given away.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return lambda: torch.add(b, c, alpha=scale, out=a)
    if backend == "jax":
        return _on_jax(a, b, c, scale)
    import tensorflow as tf

    fused = tf.function(lambda b, c: b + scale * c, jit_compile=True)
    return lambda: fused(b, c)  # its allocator gives the last result's memory again


def _on_jax(a, b, c, scale):
    import jax

    fused = jax.jit(lambda a, b, c: b + scale * c, donate_argnums=0, keep_unused=True)
    held = [a]

    def triad():
        held[0] = fused(held[0], b, c)
        return held[0]

    return triad
