"""Where the tasks of a SLURM step run, by the variables that `srun` gives to each of them.

A *step* is what one `srun` starts. Its tasks lie on its nodes in blocks: the first node has the
first ranks (`--distribution=block`, SLURM's default).
"""

import itertools
import re
from collections.abc import Mapping

# Above the ports that Linux gives away (32768 to 60999), as JAX's own reading of SLURM has it.
_FIRST_PORT, _PORTS, _PORTS_A_JOB = 61440, 4096, 16


def step_addresses(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return host:port of every task of this process' step, in the order of their ranks.

    Tasks of one node have ports that follow one another, from MASTER_PORT on, or from one that is
    the job's, so that jobs which share a node do not meet.

    Raises: ValueError if this task is not where a block distribution would have it.
    """
    hosts = expand_hosts(environment["SLURM_STEP_NODELIST"])
    counts = expand_counts(environment["SLURM_STEP_TASKS_PER_NODE"])
    rank, node, local = (
        int(environment[name]) for name in ("SLURM_PROCID", "SLURM_NODEID", "SLURM_LOCALID")
    )
    if len(hosts) != len(counts) or rank != sum(counts[:node]) + local:
        raise ValueError(
            f"SLURM's task {rank}, number {local} of node {node}, lies elsewhere than a block "
            f"distribution of {counts} tasks on {hosts} has it; srun --distribution=block does"
        )
    port = int(environment.get("MASTER_PORT") or _job_port(environment))
    return tuple(
        f"{host}:{port + number}"
        for host, count in zip(hosts, counts, strict=True)
        for number in range(count)
    )


def expand_hosts(text: str) -> list[str]:
    """Return the hosts of a SLURM list: "gpu[01-02,7],login" -> gpu01 gpu02 gpu7 login."""
    names = re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text)
    return [host for name in names for host in _expand(name)]


def expand_counts(text: str) -> list[int]:
    """Return the tasks a node of a SLURM count: "2(x3),1" -> 2 2 2 1."""
    counts = []
    for part in text.split(","):
        count, times = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip()).groups()
        counts += [int(count)] * int(times or 1)
    return counts


def _expand(name: str) -> list[str]:
    """Return the hosts of one name, whose brackets hold numbers and ranges of them."""
    parts = re.split(r"\[([^\]]*)\]", name)  # fixed, bracket, fixed, ...
    choices = [_numbers(part) if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _numbers(text: str) -> list[str]:
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        span = range(int(first), int(last or first) + 1)
        found += [str(number).zfill(len(first)) for number in span]
    return found


def _job_port(environment) -> int:
    job = int(environment.get("SLURM_JOB_ID", 0))
    return _FIRST_PORT + job * _PORTS_A_JOB % _PORTS
