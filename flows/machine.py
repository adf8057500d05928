"""What this machine is: processor, cores, caches, memory, accelerators.

Read from psutil, the kernel's files and the driver; nothing is computed and nothing imported that
computes. What a machine can do is measured elsewhere (`flows.hardware_rates`).
"""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from flows.provenance import machine as identity
from flows.runtime import accelerator, backend_version

_CACHES = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup/memory.max")
_LOOK_SECONDS = 0.3
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
# How many threads a backend has, and which devices it sees, changes what it can do.
_CHOICES = (
    "CUDA_VISIBLE_DEVICES", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
    "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS",
)  # fmt: skip


def describe(backend: str) -> dict[str, Any]:
    """Return the machine's facts for a report.

    Args:
        backend: whose accelerators count.
    Returns: processor, cores_physical, cores_logical (None where unknown), cores_usable by this
        process, memory and memory_available (bytes), caches (`caches`), kind (cpu, cuda, tpu or
        mps), accelerators (name and memory, bytes), variables (those set that change the rates).
    """
    return {
        "processor": identity()["processor"],
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_logical": psutil.cpu_count(),
        "cores_usable": usable_cores(),
        "memory": memory(),
        "memory_available": psutil.virtual_memory().available,
        "caches": caches(),
        "kind": accelerator(backend),
        "accelerators": accelerators() if accelerator(backend) == "cuda" else [],
        "variables": {name: os.environ[name] for name in _CHOICES if name in os.environ},
    }


def usable_cores() -> int:
    """Return the cores that this process may run on."""
    return len(_usable())


def busy() -> float:
    """Return the share, 0..1, that others take of this process's cores, while it looks for .3 s.

    The load average of the kernel would still count what ended a minute ago, and this process.
    """
    shares = psutil.cpu_percent(interval=_LOOK_SECONDS, percpu=True)
    mine = [share for core, share in enumerate(shares) if core in _usable()]
    return sum(mine) / len(mine) / 100 if mine else 0.0


def _usable() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def memory() -> int:
    """Return the bytes of memory, of the container where it has a limit."""
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):
        total = min(total, int(_CGROUP.read_text()))  # ValueError: "max", no limit
    return total


def caches(folder: Path = _CACHES) -> list[dict[str, Any]]:
    """Return the processor's caches as the kernel tells them; [] where it does not.

    Returns: a dict each of level, kind (Data, Instruction or Unified), bytes of one, and count.
    """
    found: dict[tuple[int, str, int], set[str]] = {}
    for index in folder.glob("cpu[0-9]*/cache/index[0-9]*"):
        with suppress(OSError, ValueError, KeyError):
            size = (index / "size").read_text().strip()
            key = (
                int((index / "level").read_text()),
                (index / "type").read_text().strip(),
                int(size[:-1]) * _UNITS[size[-1]],
            )
            found.setdefault(key, set()).add((index / "shared_cpu_list").read_text().strip())
    return [
        {"level": level, "kind": kind, "bytes": size, "count": len(shared)}
        for (level, kind, size), shared in sorted(found.items())
    ]


def last_caches(known: list[dict[str, Any]]) -> list[int]:
    """Return the bytes of each cache of the last level."""
    last = max((cache["level"] for cache in known), default=0)
    return [c["bytes"] for c in known if c["level"] == last for _ in range(c["count"])]


def accelerators() -> list[dict[str, Any]]:
    """Return name and memory (bytes) of each NVIDIA device, as its driver reports them."""
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = csv.reader(answer.stdout.splitlines(), skipinitialspace=True)
    return [
        {"name": row[0], "memory": int(row[1]) * 2**20}
        for row in rows
        if len(row) == 2 and re.fullmatch(r"\d+", row[1])
    ]


def fingerprint(backend: str) -> str:
    """Return a digest of all that a measured rate depends on, but for what else runs here."""
    facts = describe(backend)
    del facts["memory_available"]
    facts |= {"backend": backend, "version": backend_version(backend)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Return the user's folder for what is found out once."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "keras-vision-zoo"
