"""The ceilings of this machine on the running backend: measured, or kept from the last time.

A full measurement is `zoo doctor --hardware`'s, a short one that of a run on a machine that has
none as yet. Either is kept in the user's cache until the machine, the backend or its settings
change, for a month, or until the machine has more of itself to give than it had then.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows import machine
from flows.whole_files import write_json

FULL, SHORT = 1.0, 0.25  # seconds a figure
_NEEDED = ("float32", "bfloat16")  # by trainings
_FORMAT = 2  # raise it with every change of what is measured, or how
_KEPT_SECONDS = 30 * 24 * 3600
_BUSY = 0.25  # of the cores, by others
_COPIED = 64 * 2**20  # bytes of the array that goes to the device


def untold(what: str) -> None:
    """Tell nobody what is measured."""


def measure(
    backend: str,
    *,
    seconds: float = FULL,
    dtypes: Sequence[str] | None = None,
    progress: Callable[[str], None] = untold,
) -> dict[str, Any]:
    """Measure this machine; Keras runs on `backend` in this process.

    Args:
        seconds: for each figure.
        dtypes: of the matrices; None: all that are known.
        progress: told what is measured next.
    Returns: plain values, of the keys backend, devices, measured (seconds since 1970), seconds (it
        took), busy, matrix (dtype -> rate or None), memory, copy; also written to the cache.
    """
    from zoo.hardware import rates

    began, busy = time.monotonic(), machine.busy()
    facts = machine.describe(backend)
    matrix: dict[str, Any] = {}
    for dtype in dtypes or rates.DTYPES:
        progress(f"multiplying matrices of {dtype}")
        rate = rates.matrix_rate(dtype, seconds=seconds)
        matrix[dtype] = None if rate is None else asdict(rate)
    progress("reading and writing memory")
    room = rates.array_bytes(machine.last_caches(facts["caches"]), facts["memory_available"])
    triad = rates.memory_rate(room, seconds=seconds)
    progress("copying to the device")
    copy = rates.copy_rate(min(_COPIED, room), seconds=seconds)
    found = {
        "format": _FORMAT,
        "backend": backend,
        "devices": rates.devices(),
        "measured": time.time(),
        "busy": busy,
        "matrix": matrix,
        "memory": asdict(triad),
        "copy": asdict(copy),
    }
    found["seconds"] = round(time.monotonic() - began, 3)
    _keep(backend, found)
    return found


def kept_or_measured(backend: str) -> dict[str, Any]:
    """Return what is kept of this machine, or measure it shortly."""
    kept = read_kept(backend)
    return measure(backend, seconds=SHORT, dtypes=_NEEDED) if kept is None else kept


def read_kept(backend: str) -> dict[str, Any] | None:
    """Return the measurement in the cache; None where there is none, or a better one can be had."""
    try:
        kept = json.loads(kept_path(backend).read_text())
    except (OSError, ValueError):
        return None
    usable = isinstance(kept, dict) and kept.get("format") == _FORMAT
    if not usable or time.time() - kept["measured"] > _KEPT_SECONDS:
        return None
    if kept["busy"] > _BUSY and machine.busy() < kept["busy"] / 2:
        return None
    return kept


def kept_path(backend: str) -> Path:
    """Return where the measurement of this machine is kept."""
    return machine.cache_folder() / f"hardware-{machine.fingerprint(backend)}.json"


def _keep(backend: str, found: dict[str, Any]) -> None:
    with suppress(OSError):  # a home that cannot be written: measured anew the next time
        write_json(kept_path(backend), found)
