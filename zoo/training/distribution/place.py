"""Where a process stands among those that train together, by the variables of what started it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from zoo.training.distribution.slurm import step_addresses

DEFAULT_PORT = 29400


@dataclass(frozen=True)
class Place:
    """A process in a group.

    Attributes:
        rank, size: the process, and how many there are.
        local_rank: its number on its own machine, and so its device.
        address: host:port of the first process.
        workers: host:port of every process, which TensorFlow needs; () where it is not known.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    address: str = f"127.0.0.1:{DEFAULT_PORT}"
    workers: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The first process' host: a name, or an address without the brackets of IPv6."""
        return self.address.rpartition(":")[0].strip("[]")


def find_place(environment: Mapping[str, str] = os.environ) -> Place:
    """Read this process' place from the first of these that is complete.

    `TF_CONFIG` (TensorFlow, and training operators for it); `RANK`, `WORLD_SIZE`, `LOCAL_RANK`,
    `MASTER_ADDR` and `MASTER_PORT` (torchrun, and PyTorch's operators); `JAX_PROCESS_ID`,
    `JAX_NUM_PROCESSES` and `JAX_COORDINATOR_ADDRESS`; `SLURM_PROCID`, `SLURM_NTASKS` and
    `SLURM_LOCALID` with the list of the step's nodes, as `srun` gives them, or with `MASTER_ADDR`;
    else the process is alone.

    Raises: ValueError if the variables contradict themselves.
    """
    for read in (_tensorflow, _torchrun, _jax, _slurm):
        if (place := read(environment)) is not None:
            if not 0 <= place.rank < place.size:
                raise ValueError(
                    f"a process' rank must be at least 0 and less than the {place.size} processes "
                    f"there are; got {place.rank}. Which program set the variables?"
                )
            return place
    return Place()


def _tensorflow(environment) -> Place | None:
    if not (text := environment.get("TF_CONFIG")):
        return None
    try:
        config = json.loads(text)
        workers = tuple(config["cluster"]["worker"])
        rank = int(config["task"]["index"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "TF_CONFIG must be JSON with cluster.worker, a list of host:port, and task.index; "
            f"got {text!r}"
        ) from error
    local = int(environment.get("LOCAL_RANK", 0))
    return Place(rank, len(workers), local, workers[0] if workers else "", workers)


def _torchrun(environment) -> Place | None:
    return _numbered(environment, "RANK", "WORLD_SIZE", "LOCAL_RANK")


def _slurm(environment) -> Place | None:
    """Only what `srun` starts has the nodes of a step; a script of `sbatch` is no rank of a group.

    JAX and PyTorch need the first address, which MASTER_ADDR may name; TensorFlow needs all.
    """
    if environment.get("SLURM_STEP_NODELIST") and environment.get("SLURM_PROCID"):
        workers = step_addresses(environment)
        first = environment.get("MASTER_ADDR") or workers[0].rpartition(":")[0]
        port = workers[0].rpartition(":")[2]
        rank, local = (_number(environment, f"SLURM_{name}") for name in ("PROCID", "LOCALID"))
        return Place(rank, len(workers), local, f"{first}:{port}", workers)
    return _numbered(environment, "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")


def _numbered(environment, rank, size, local) -> Place | None:
    if not all(environment.get(name) for name in (rank, size, "MASTER_ADDR")):
        return None
    port = environment.get("MASTER_PORT", DEFAULT_PORT)
    return Place(
        _number(environment, rank),
        _number(environment, size),
        _number(environment, local) if environment.get(local) else 0,
        f"{environment['MASTER_ADDR']}:{port}",
    )


def _jax(environment) -> Place | None:
    names = ("JAX_PROCESS_ID", "JAX_NUM_PROCESSES", "JAX_COORDINATOR_ADDRESS")
    if not all(environment.get(name) for name in names):
        return None
    local = environment.get("LOCAL_RANK", "0")
    rank, size = (_number(environment, name) for name in names[:2])
    return Place(rank, size, int(local), environment[names[2]])


def _number(environment, name) -> int:
    try:
        return int(environment[name])
    except ValueError:
        raise ValueError(f"{name} must be a whole number; got {environment[name]!r}") from None
