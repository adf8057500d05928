"""A verb of the worker in a process of its own, for a flow: no bar, and an end that is judged."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence

from flows import supervisor
from flows.progress import read_line
from flows.runtime import UserError, worker_environment
from flows.worker_process import WorkerError


def run(
    verb: str,
    arguments: Sequence[str],
    *,
    backend: str,
    progress: Callable[[dict], None] = lambda fields: None,
) -> None:
    """Run a verb to its end.

    Args:
        verb: such as score.
        arguments: its command line.
        backend: the process computes on it.
        progress: gets {"what", "done", "total"} now and then.

    Raises:
        UserError, WorkerError: the process found a mistake, or died.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        with subprocess.Popen(
            [*supervisor.WORKER, verb, *arguments],
            env=worker_environment(backend),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "done" in (fields := read_line(line)):
                    progress(fields)
        log.seek(0)
        _judge(process.returncode, f"{verb} on {backend}", log.read().strip())


def _judge(code: int, what: str, log: str) -> None:
    last_line = log.splitlines()[-1] if log else "it wrote nothing"
    if code == 2:
        raise UserError(last_line)
    if code != 0:
        message = f"{what}: the worker {supervisor.describe_end(code)}: {last_line}"
        raise WorkerError(message, log)
