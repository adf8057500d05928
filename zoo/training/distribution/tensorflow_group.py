"""TensorFlow's worker group: a sum over processes, which gradients go through.

Keras' `fit` fails under MultiWorkerMirroredStrategy, in its symbolic build and in the reduction of
its loss. Here `fit` knows nothing of the strategy, which only adds up: each process has variables
of its own, and one device.
"""

import json
import os
from contextlib import suppress

import tensorflow as tf

from zoo.training.distribution.place import Place

_LEAST_THREADS = 4


def open_group(place: Place):
    """Join the group; return a function: tensor -> its sum over the processes, differentiable.

    Raises: ValueError if the other processes' addresses are not known.
    """
    if not place.workers:
        raise ValueError(
            "TensorFlow's workers need to know all of them: TF_CONFIG with cluster.worker, a list "
            "of host:port, and task.index."
        )
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": list(place.workers)},
            "task": {"type": "worker", "index": place.rank},
        }
    )
    if gpus := tf.config.list_physical_devices("GPU"):
        tf.config.set_visible_devices(gpus[place.local_rank], "GPU")
    _spare_threads()
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def total(tensor):
        # The identity gives the tensor a device, by which the strategy finds the others.
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(tensor))

    @tf.custom_gradient
    def add(tensor):
        return strategy.run(total, args=(tensor,)), lambda dy: strategy.run(total, args=(dy,))

    return add


def _spare_threads() -> None:
    """Give TensorFlow threads that may wait for another process: with one, all work would wait."""
    told = int(os.environ.get("TF_NUM_INTEROP_THREADS") or os.cpu_count() or 1)
    with suppress(RuntimeError):  # it has started, and has what it has
        tf.config.threading.set_inter_op_parallelism_threads(max(told, _LEAST_THREADS))
