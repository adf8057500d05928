"""Processes that train together, each with its place in its environment."""

import subprocess
import sys

from cases import ROOT

from flows.group import places
from flows.runtime import worker_environment


def start_group(arguments, backend, size=2):
    """Start the interpreter on `arguments` once a rank; return the processes, leader first.

    Their stdout and stderr are pipes.
    """
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            env=worker_environment(backend) | place | {"CUDA_VISIBLE_DEVICES": "-1"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for place in places(size)
    ]


def finish_group(processes, timeout=280):
    """Wait for the end of all, check that it was a good one, and return what the leader printed."""
    answers = [process.communicate(timeout=timeout) for process in processes]
    for process, (_, err) in zip(processes, answers, strict=True):
        assert process.returncode == 0, err[-3000:]
    return answers[0][0]
