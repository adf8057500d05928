"""Processes that train together, as `torchrun` and TensorFlow's operators start them."""

import json
import socket
import subprocess
import sys

from cases import ROOT

from flows.runtime import worker_environment


def start_group(arguments, backend, size=2):
    """Start the interpreter on `arguments` once a rank; return the processes, leader first.

    Their stdout and stderr are pipes.
    """
    ports = _free_ports(size)
    workers = [f"127.0.0.1:{port}" for port in ports]
    processes = []
    for rank in range(size):
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ports[0])}
        place |= {"RANK": str(rank), "WORLD_SIZE": str(size), "CUDA_VISIBLE_DEVICES": "-1"}
        if backend == "tensorflow":
            task = {"type": "worker", "index": rank}
            place["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
        processes.append(
            subprocess.Popen(
                [sys.executable, *arguments],
                env=worker_environment(backend) | place,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def finish_group(processes, timeout=280):
    """Wait for the end of all, check that it was a good one, and return what the leader printed."""
    answers = [process.communicate(timeout=timeout) for process in processes]
    for process, (_, err) in zip(processes, answers, strict=True):
        assert process.returncode == 0, err[-3000:]
    return answers[0][0]


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
