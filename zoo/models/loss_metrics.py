"""Running means of a loss's parts, right under replicas."""

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
