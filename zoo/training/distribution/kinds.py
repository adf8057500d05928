"""The kinds of distribution, by name."""

import keras

from zoo.training.distribution.base import Distribution
from zoo.training.distribution.place import find_place

KINDS = ("none", "mirrored", "tpu", "data_parallel", "model_parallel", "multi_worker")
_BACKENDS = {
    "none": ("tensorflow", "jax", "torch"),
    "mirrored": ("tensorflow",),
    "tpu": ("tensorflow", "jax"),
    "data_parallel": ("jax", "torch"),
    "model_parallel": ("jax",),
    "multi_worker": ("tensorflow", "jax", "torch"),
}


def build_distribution(kind: str = "none", *, devices: int | None = None) -> Distribution:
    """Join the devices and processes that train together.

    Call it before anything is computed: backends fix their devices when they start.

    Args:
        kind: `mirrored`, TensorFlow's devices of this process; `data_parallel`, JAX's, and on
            PyTorch, which takes a process a device, what `multi_worker` is; `model_parallel`: JAX's
            devices share the filters of each convolution; `tpu`; `multi_worker`, the processes
            that `find_place` finds, one device each on TensorFlow and PyTorch.
        devices: of this process; None: all accelerators, or the one CPU. On a CPU, so many
            logical ones.
    Raises: ValueError if the kind is unknown, the running backend has no such thing, or several
        processes were started and would train apart.
    """
    backend = keras.backend.backend()
    if kind not in KINDS:
        raise ValueError(f"distribution kind must be one of {', '.join(KINDS)}; got {kind!r}")
    if backend not in _BACKENDS[kind]:
        able = " and ".join(_BACKENDS[kind])
        raise ValueError(
            f"distribution {kind} is for {able}; this process runs {backend}. Choose "
            f"{_instead(backend)}, or another backend."
        )
    if kind == "multi_worker" or (kind == "data_parallel" and backend == "torch"):
        return _workers(backend, devices)
    if (place := find_place()).size > 1:
        raise ValueError(
            f"this process is number {place.rank} of {place.size} that were started together, and "
            f"distribution {kind} would let each train for itself; choose multi_worker"
        )
    if kind == "none":
        return Distribution()
    if backend == "tensorflow":
        from zoo.training.distribution import tensorflow_devices

        if kind == "tpu":
            return tensorflow_devices.tpu()
        return tensorflow_devices.mirrored(devices)
    from zoo.training.distribution import jax_devices

    return jax_devices.JaxDevices(kind, devices)


def _workers(backend, devices) -> Distribution:
    place = find_place()
    if backend == "jax":
        from zoo.training.distribution.jax_devices import JaxWorkers

        return JaxWorkers(place, devices)
    if devices not in (None, 1):
        raise ValueError(
            f"multi_worker has one device a process on {backend}; got devices {devices}. Start "
            "more processes instead."
        )
    if place.size == 1:
        return Distribution()
    if backend == "torch":
        from zoo.training.distribution.torch_group import open_group
    else:
        from zoo.training.distribution.tensorflow_group import open_group
    from zoo.training.distribution.workers import Workers

    return Workers(place, open_group(place))


def _instead(backend) -> str:
    return " or ".join(kind for kind in KINDS[1:] if backend in _BACKENDS[kind])
