"""What training shows of a loss's parts: means, right under replicas, or the last values."""

import keras
from keras import ops


def update_loss_metrics(metrics, losses, pictures) -> None:
    """Add a batch's losses to the running means, a mean over pictures as Keras' own `loss` is.

    Under TensorFlow replicas a Keras loss is one replica's share; the loss of ones tells its size.

    Args:
        metrics: a dict of `keras.metrics.Mean`.
        losses: a dict of scalars, means over the batch, with the same names.
        pictures: how many the batch has; the last of a pass may have fewer.
    """
    share = keras.losses.MeanAbsoluteError()(ops.ones((1, 1)), ops.zeros((1, 1)))
    for name, metric in metrics.items():
        metric.update_state(losses[name] / share, pictures)


class Latest(keras.metrics.Metric):
    """The value of the last step, where a mean over an epoch would hide the curve."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.value = self.add_variable(shape=(), initializer="zeros", name="value")

    def update_state(self, value):
        self.value.assign(ops.cast(value, self.dtype))

    def result(self):
        return ops.convert_to_tensor(self.value)
