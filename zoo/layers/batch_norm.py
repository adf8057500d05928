"""Batch normalization with Keras' meaning and each backend's fastest kernel."""

import keras
from keras import backend, ops


@keras.saving.register_keras_serializable(package="zoo")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalization over the channels of zoo's inner layout (Ioffe and Szegedy 2015).

    Keras composes the operation of elementwise steps on PyTorch and casts bfloat16 up first; here
    it is one fused kernel that reads bfloat16 and accumulates in float32. Moments, moving
    statistics (biased variance, Keras' convention) and weights are those of
    `keras.layers.BatchNormalization`.

    Args: as `keras.layers.BatchNormalization`; the defaults of `momentum` and `epsilon` are those
        of the book's PyTorch code (momentum .1 there is .9 here).

    Attributes:
        group_mean: a function that takes the mean of a tensor over processes that train together,
            or None. With it, batches are normalised by the statistics of all their parts.
    """

    group_mean = None

    def __init__(self, axis=-1, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(axis=axis, momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if self.group_mean is not None and training and self.trainable:
            return self._normalize_parts(inputs)
        if not self._has_fused_kernel(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        if training and self.trainable:
            return self._normalize_batch(inputs)
        return self._normalize_with_moving_statistics(inputs)

    def stands_still(self, training) -> bool:
        """Whether a call normalises by the moving statistics, by the same rule as Keras'."""
        return not (training and self.trainable)

    def factor_and_shift(self):
        """Return what normalising by the moving statistics multiplies by and adds, (C,) float32."""
        factor = ops.rsqrt(self.moving_variance + self.epsilon)
        if self.scale:
            factor = factor * self.gamma
        shift = -self.moving_mean * factor
        return factor, shift + self.beta if self.center else shift

    def _has_fused_kernel(self, inputs, mask) -> bool:
        if backend.backend() != "torch" or mask is not None or self.renorm or self.synchronized:
            return False
        return self.axis in (1, [1]) and inputs.device.type != "meta" and self.scale and self.center

    def _normalize_batch(self, inputs):
        import torch

        outputs, mean, inverse_std = torch.native_batch_norm(
            inputs, self.gamma.value, self.beta.value, None, None, True, 0.0, self.epsilon
        )
        with torch.no_grad():
            variance = inverse_std.pow(-2).sub_(self.epsilon)
            self.moving_mean.value.lerp_(mean, 1.0 - self.momentum)
            self.moving_variance.value.lerp_(variance, 1.0 - self.momentum)
        return outputs

    def _normalize_parts(self, inputs):
        """Normalise by the mean and the variance of a batch of which every process has a part."""
        values = ops.cast(inputs, "float32")
        axis, rank = self.axis % len(inputs.shape), len(inputs.shape)
        axes = [other for other in range(rank) if other != axis]
        mean = self.group_mean(ops.mean(values, axes))
        centred = values - ops.reshape(mean, [-1 if one == axis else 1 for one in range(rank)])
        variance = self.group_mean(ops.mean(ops.square(centred), axes))
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            now = ops.stop_gradient(now)
            moving.assign(moving * self.momentum + now * (1.0 - self.momentum))
        outputs = ops.batch_normalization(
            values, mean, variance, self.axis, self.beta, self.gamma, self.epsilon
        )
        return ops.cast(outputs, inputs.dtype)

    def _normalize_with_moving_statistics(self, inputs):
        import torch

        return torch.native_batch_norm(
            inputs,
            self.gamma.value,
            self.beta.value,
            self.moving_mean.value,
            self.moving_variance.value,
            False,
            0.0,
            self.epsilon,
        )[0]
