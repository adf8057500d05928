"""Batch normalization whose statistics and affine never change."""

import keras

from zoo.layers.batch_norm import BatchNorm


@keras.saving.register_keras_serializable(package="zoo")
class FrozenBatchNorm(BatchNorm):
    """Batch normalization by stored statistics, of which nothing trains (Ren 2015, section 3.3).

    Detectors see too few pictures a step for statistics of their own, so they keep those of the
    pretrained backbone. Unlike `BatchNorm` with `trainable=False`, this stays so when an outer
    layer is set trainable.

    Args: as `BatchNorm`; `momentum` has no effect.
    """

    def build(self, input_shape):
        super().build(input_shape)
        for weight in (self.gamma, self.beta):
            weight.trainable = False

    @property
    def trainable(self):
        """Always False; setting it is ignored."""
        return False

    @trainable.setter
    def trainable(self, value):
        pass
