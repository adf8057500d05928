"""Train a linear model for one step, in a way that goes wrong or in ours; print its weights.

    python tests/training/one_step.py replicas | strategy | apart | attached

Run by test_spread_defects.py, a process or two. A process of several has its half of the batch.
"""

import json
import sys

from flows.runtime import prepare_process

prepare_process()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import ops  # noqa: E402

from zoo.training.distribution import build_distribution, find_place  # noqa: E402

RATE = 0.5
X = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0], [1.0, 1.0]], "float32")
Y = np.array([[1.0], [-1.0], [2.0], [0.5]], "float32")


class ByHand(keras.Model):
    """Reduces its loss itself, as `compute_loss` seems to ask for."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(y - y_pred))


def model(kind=keras.Model):
    inputs = keras.Input((2,))
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs)
    built = kind(inputs, outputs)
    built.compile(keras.optimizers.SGD(RATE), loss=keras.losses.MeanSquaredError())
    return built


def step(built, part=0, parts=1):
    size = len(X) // parts
    mine = slice(part * size, (part + 1) * size)
    built.fit(X[mine], Y[mine], batch_size=size, epochs=1, shuffle=False, verbose=0)
    return built.get_weights()[0][:, 0].tolist()


def replicas():
    distribution = build_distribution("mirrored", devices=2)
    told = {}
    with distribution.scope():
        for name, kind in (("by hand", ByHand), ("by keras", keras.Model)):
            built = model(kind)
            distribution.attach(built)
            told[name] = step(built)
    return told


def strategy():
    import tensorflow as tf

    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        try:
            return step(model(), find_place().rank, 2)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def group(attached):
    distribution = build_distribution("multi_worker")
    built = model()
    if attached:
        distribution.attach(built)
    return step(built, *distribution.share)


WAYS = {
    "replicas": replicas,
    "strategy": strategy,
    "apart": lambda: group(False),
    "attached": lambda: group(True),
}

if __name__ == "__main__":
    print(json.dumps(WAYS[sys.argv[1]]()))
