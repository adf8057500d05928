"""TensorFlow's devices of one process: its strategies under plain `fit`."""

import keras
import tensorflow as tf

from zoo.training.distribution.base import Distribution
from zoo.training.distribution.seeds import draw_apart
from zoo.training.distribution.twin import Twin


class Replicas(Distribution):
    """The devices of a strategy, each with a replica of the model.

    Args:
        strategy: a `tf.distribute.Strategy`.
    """

    def __init__(self, strategy):
        self.devices = strategy.num_replicas_in_sync
        self._strategy = strategy
        self._twin = Twin()

    def scope(self):
        return self._strategy.scope()

    def attach(self, task, *, synchronized: bool = False) -> None:
        for layer in task._flatten_layers() if synchronized else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        draw_apart(task, _replica)
        self._clip_whole_gradients(task.optimizer)

    def on_leader(self, task, ask) -> None:
        self._twin.ask(task, ask)

    def _clip_whole_gradients(self, optimizer) -> None:
        """Let an optimizer clip the gradient of the whole batch.

        Keras clips what each replica has and adds up afterwards, which is another step. Here the
        sum is clipped, and divided, since Keras adds up the replicas' equal answers all the same.
        """
        if not (optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue):
            return
        clip = optimizer._clip_gradients

        def clip_sum(gradients):
            context = tf.distribute.get_replica_context()
            total = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            return [gradient / self.devices for gradient in clip(total)]

        optimizer._clip_gradients = clip_sum


def _replica():
    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def mirrored(devices: int | None = None) -> Replicas:
    """Return all GPUs of this process or the first `devices`; without any, logical CPUs.

    Raises: ValueError if there are fewer GPUs, or TensorFlow has already started.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and (devices or 1) > len(gpus):
        raise ValueError(
            f"distribution devices must be at most the {len(gpus)} GPUs; got {devices}"
        )
    if gpus:
        names = [f"GPU:{number}" for number in range(devices or len(gpus))]
        return Replicas(tf.distribute.MirroredStrategy(names))
    count = devices or 1
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        raise ValueError(
            f"TensorFlow has started and has its devices; call build_distribution first: {error}"
        ) from error
    return Replicas(tf.distribute.MirroredStrategy([f"CPU:{n}" for n in range(count)]))


def tpu() -> Replicas:
    """Return the TPU that TPU_NAME names, or this machine's own.

    Raises: ValueError if there is none.
    """
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"no TPU was found; TPU_NAME names one that is not this machine's own: {error}"
        ) from error
    return Replicas(tf.distribute.TPUStrategy(resolver))
