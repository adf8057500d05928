"""JAX's devices, of one process or of several: Keras' distributions under plain `fit`.

JAX computes on arrays that are spread over all devices as if they were whole: losses, gradients,
metrics and batch statistics are those of the whole batch, by its own bookkeeping.
"""

import os
import re

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from zoo.training.distribution.base import Distribution
from zoo.training.distribution.heartbeat import Heartbeat
from zoo.training.distribution.place import Place
from zoo.training.distribution.twin import Twin

_LOGICAL = "--xla_force_host_platform_device_count"


class JaxDevices(Distribution):
    """The devices of this process.

    Args:
        kind: `data_parallel` or `tpu`: each sees its part of a batch; `model_parallel`: each holds
            its part of every convolution's filters and sees the whole batch.
        devices: how many; None: all.
    Raises: ValueError if there are fewer.
    """

    def __init__(self, kind: str, devices: int | None = None):
        chosen = _devices(devices, "tpu" if kind == "tpu" else None)
        self.devices = len(chosen)
        spread = _SplitFilters if kind == "model_parallel" else _replicated
        self._distribution = spread(chosen)
        self._twin = Twin()

    def scope(self):
        return self._distribution.scope()

    def on_leader(self, task, ask) -> None:
        if self.leads:
            self._twin.ask(task, ask)


class JaxWorkers(JaxDevices):
    """The devices of several processes, each feeding its part of a batch.

    Args:
        place: which process this is.
        devices: of each.
    """

    def __init__(self, place: Place, devices: int | None = None):
        self.rank, self.size = place.rank, place.size
        _set_logical(devices)
        if place.size > 1:
            jax.config.update("jax_cpu_collectives_implementation", "gloo")
            jax.distributed.initialize(place.address, place.size, place.rank)
        super().__init__("data_parallel")
        self._place = place

    def watched(self):
        return Heartbeat(self._place, self.from_leader) if self.size > 1 else super().watched()

    def from_leader(self, values):
        return multihost_utils.broadcast_one_to_all(np.asarray(values, "float32"))


class _SplitFilters(keras.distribution.ModelParallel):
    """Split the filters of convolutions over the devices where their number divides them."""

    def __init__(self, devices):
        mesh = keras.distribution.DeviceMesh(
            (1, len(devices)), ["batch", "filters"], np.array(devices)
        )
        layouts = keras.distribution.LayoutMap(mesh)
        super().__init__(layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False)

    def get_variable_layout(self, variable):
        axes = [None] * len(variable.shape)
        mesh = self.device_mesh
        if len(axes) == 4 and variable.shape[-1] % mesh.shape[1] == 0:
            axes[-1] = "filters"
        return keras.distribution.TensorLayout(axes, mesh)


def _replicated(devices):
    return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)


def _devices(count: int | None, platform: str | None) -> list:
    _set_logical(count)
    try:
        found = jax.devices(platform)
    except RuntimeError as error:
        raise ValueError(f"JAX finds no {platform}: {error}") from error
    if count is not None and count > len(found):
        raise ValueError(
            f"distribution devices must be at most the {len(found)} that JAX finds; got {count}. "
            "Has JAX started before build_distribution was called?"
        )
    return found[:count]


def _set_logical(count: int | None) -> None:
    """Ask for logical CPUs, which counts if JAX has not started yet and finds no accelerator."""
    flags = os.environ.get("XLA_FLAGS", "")
    if count is not None and not re.search(_LOGICAL, flags):
        os.environ["XLA_FLAGS"] = f"{flags} {_LOGICAL}={count}".strip()
