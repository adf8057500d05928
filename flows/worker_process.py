"""Run a verb of the worker in a process of its own, on the backend of choice, and follow it."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from flows.console import Bar
from flows.progress import read_line
from flows.runtime import UserError, choose_backend, worker_environment


class WorkerError(Exception):
    """A worker process crashed; `log` is what it wrote to stderr."""

    def __init__(self, message: str, log: str):
        self.log = log
        super().__init__(message)

    def __reduce__(self):  # it comes back from other processes
        return type(self), (str(self), self.log)


@dataclass
class Outcome:
    """What a worker verb told: whether its results are complete, and the user's mistakes."""

    complete: bool = False
    mistakes: list[str] = field(default_factory=list)


def run_verb(verb: str, arguments: Sequence[str], *, backend: str) -> Outcome:
    """Run `python -m flows.worker VERB ARGUMENTS` to its end, with a progress bar.

    Args:
        verb: score or predict.
        arguments: its command line.
        backend: tensorflow, jax, torch or auto.

    Raises:
        UserError: the verb found a mistake and has no results.
        WorkerError: the process crashed.
    """
    name, _ = choose_backend(backend)
    # -P: a folder `flows` in the working directory is not ours
    command = [sys.executable, "-P", "-m", "flows.worker", verb, *arguments]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        outcome, code = _follow(command, name, log)
        if code in (0, 2) and outcome.complete:
            return outcome
        if code == 2 and outcome.mistakes:
            raise UserError("\n".join(outcome.mistakes))
        log.seek(0)
        text = log.read()
    raise WorkerError(f"the {name} worker {_end(code)}{_last_line(text)}", text)


def _follow(command: Sequence[str], backend: str, log: IO[str]) -> tuple[Outcome, int]:
    outcome = Outcome()
    environment = worker_environment(backend)
    with (
        Bar(f"starting {backend}") as bar,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                _take(read_line(line), outcome, bar)
        except BaseException:
            process.terminate()
            process.wait()  # leaving the block after an interrupt would not wait for its end
            raise
    return outcome, process.returncode


def _take(fields: dict, outcome: Outcome, bar: Bar) -> None:
    if "wrote" in fields:
        outcome.complete = True
    elif "mistake" in fields:
        outcome.mistakes.append(fields["mistake"])
    elif "done" in fields:
        bar.update(fields["what"], fields["done"], fields["total"], fields.get("detail", ""))


def _end(code: int) -> str:
    if code == -9:
        return "was killed (out of memory?)"
    return f"died of signal {-code}" if code < 0 else f"failed with exit code {code}"


def _last_line(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return f": {lines[-1].strip()}" if lines else ""
