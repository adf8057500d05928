"""A training on a cluster, as the files of every kind of cluster describe it.

The controller starts nothing there: the cluster starts `flows.worker` once a process, ends and
restarts the processes together, and all of them see the run's folder. `zoo train` of the same
config, with the same home and `--workers 0`, follows that folder into MLflow and the registry.

Words: a *node* is a machine of SLURM's or a pod of Kubernetes'; a *device* is a GPU, or the cores
of a process where there are none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flows.config import Config, config_hash, load_config
from flows.origin import FROM_CHAMPION
from flows.runtime import UserError, worker_settings

PORT = 29400  # of the first process; zoo.training.distribution has the same
MISTAKE = 2  # a worker's exit code that another start would not change


@dataclass(frozen=True)
class Launch:
    """A run, and what each of its nodes has.

    Attributes:
        config: with nothing left to be chosen by the machine that trains.
        nodes: how many.
        gpus, cpus, memory: of each; the last in GiB.
        home: where `runs/` is, as the nodes see it.
        restarts: how often the group may be started again.
    """

    config: Config
    nodes: int
    gpus: int
    cpus: int
    memory: int
    home: PurePosixPath
    restarts: int

    @property
    def name(self) -> str:
        """The run's, as `zoo train` names it."""
        return f"{self.config.name}-{config_hash(self.config)}"

    @property
    def folder(self) -> PurePosixPath:
        """The run's folder, which `zoo train` with the same home finds."""
        return self.home / "runs" / self.name

    @property
    def processes(self) -> int:
        """Of a node: one a device, but on JAX, whose process takes all of them."""
        return 1 if self.config.backend == "jax" else max(self.gpus, 1)

    @property
    def environment(self) -> dict[str, str]:
        """What every worker is started with, its place in the group apart."""
        own = {"KERAS_BACKEND": self.config.backend, "ZOO_HOME": str(self.home)}
        return own | {"OMP_NUM_THREADS": str(max(self.cpus // self.processes, 1))}

    @property
    def settings(self) -> dict[str, str]:
        """What a worker of `zoo train` is started with as well: no telemetry, the allocator's."""
        return worker_settings("Linux")


def prepare(
    path: str | Path,
    overrides: Sequence[str],
    backend: str | None,
    *,
    nodes: int,
    gpus: int,
    cpus: int,
    memory: int,
    home: str,
    restarts: int = 3,
) -> Launch:
    """Read a config and settle how it is launched.

    Args:
        path, overrides, backend: as `load_config` takes them.
        nodes, gpus, cpus, memory, home, restarts: as `Launch` has them.

    Raises:
        ConfigError: with every mistake in the config.
        UserError: it leaves a choice to the machine, or its batch cannot be shared.
    """
    spread = ["distribution.kind=multi_worker", "distribution.workers=0"]
    config = load_config(path, [*overrides, *spread], backend)
    for name in ("backend", "precision"):
        if getattr(config, name) == "auto":
            raise UserError(
                f"{name} auto is chosen by the machine that trains, and a run is known by what was "
                f"chosen; name it: {_REMEDIES[name]}"
            )
    if config.model.weights == FROM_CHAMPION:
        raise UserError(
            "model.weights champion is fetched by the command that trains, and a cluster has none; "
            "name a file that the nodes see: --set model.weights=/runs/champion.keras, say"
        )
    if not PurePosixPath(home).is_absolute():
        raise UserError(f"the home must be an absolute path, as the nodes see it; got {home!r}")
    devices = nodes * max(gpus, 1)
    if config.data.batch_size % devices:
        raise UserError(
            f"data.batch_size must be a multiple of the {devices} devices that share a batch; got "
            f"{config.data.batch_size}"
        )
    return Launch(config, nodes, gpus, cpus, memory, PurePosixPath(home), restarts)


_REMEDIES = {
    "backend": "--backend torch, say",
    "precision": "--set precision=mixed_bfloat16, or float32 where the devices have no bfloat16",
}
