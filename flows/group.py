"""Several workers that train one run together, on this machine.

    python -m flows.group RUN_DIR PROCESSES

Each is `flows.worker train RUN_DIR` with its place in the variables that torchrun, JAX and
TensorFlow know. Where one ends badly the others are ended: they cannot go on without it, and some
would wait for ever. Exit code 0: done; 2: the user's mistake; 1: a crash, which the same command
resumes from the checkpoint, with any number of processes.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from flows.supervisor import WORKER, describe_end

POLL_SECONDS = 0.1
LOST_PEER = 75  # a process' exit code: another one was gone
GRACE_SECONDS = 5.0  # between being asked to end and being killed
_USERS_MISTAKE = 2
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl


def main(arguments: Sequence[str]) -> int:
    """Run the group and return its exit code."""
    run_dir, count = arguments[0], int(arguments[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    processes: list[subprocess.Popen] = []
    try:
        for place in places(count):
            processes.append(_start(run_dir, place))
        return _watch(processes)
    finally:
        _end(processes)


def places(count: int) -> list[dict[str, str]]:
    """Return the variables that tell each process its place, and its part of the cores."""
    ports = free_ports(count)
    workers = [f"127.0.0.1:{port}" for port in ports]
    threads = str(max((os.cpu_count() or 1) // count, 1))
    return [
        {
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(ports[0]),
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}
            ),
        }
        for rank in range(count)
    ]


def _start(run_dir: str, place: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        [*WORKER, "train", run_dir],
        env=os.environ | place,
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )


def _watch(processes: Sequence[subprocess.Popen]) -> int:
    """Return 0 when all are done, or the exit code of the first that ended badly."""
    while True:
        codes = [process.poll() for process in processes]
        bad = [(rank, code) for rank, code in enumerate(codes) if code]
        if bad:
            # Those that lost a process end too, and say so; the cause is the one that was lost.
            rank, code = min(bad, key=lambda found: found[1] == LOST_PEER)
            if code == _USERS_MISTAKE:  # it has told it; the last line of the log is that
                return _USERS_MISTAKE
            print(
                f"process {rank} of {len(processes)} {describe_end(code)}; the others are ended",
                file=sys.stderr,
                flush=True,
            )
            return 1
        if not any(code is None for code in codes):
            return 0
        time.sleep(POLL_SECONDS)


def _end(processes: Sequence[subprocess.Popen]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(p.poll() is None for p in processes):
            time.sleep(POLL_SECONDS)


def _die_with_parent() -> None:
    """Let a process be killed when this one is: a group without its head would hold the run."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Return so many different ports of this machine that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
