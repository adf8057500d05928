"""A service of `zoo up`: a process with a log, which is ready some day and ends with its children.

Everything is ended by pid: a service's family (itself, its children, theirs) is looked up before it
is told to stop, because a training process lives in a session of its own, and whoever is left after
a while is killed.
"""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from flows.runtime import UserError

START_SECONDS = 300.0  # fresh databases are migrated: 20 s, far more on a starved machine
_TAIL_LINES = 15


class ServiceError(RuntimeError):
    """A service died or does not answer; `log` is the end of what it wrote."""

    def __init__(self, message: str, log: str) -> None:
        self.log = log
        super().__init__(message)


class Service:
    """One process of `zoo up`.

    Args:
        name: a word for people.
        command: what to run.
        environment: all of it.
        log: where its output goes; written anew.
        answers: whether it is ready; a process is taken to be ready as long as it lives.
        patience: seconds that its family has to end when told to.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        answers: Callable[[], bool] = lambda: True,
        patience: float = 10.0,
    ) -> None:
        self.name, self.log, self.patience = name, log, patience
        self._answers = answers
        with log.open("wb") as output:
            self._process = psutil.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ctrl-C is for `zoo up`, which stops them in order
            )
        self._reader: IO[str] = log.open(errors="replace")
        self._partial = ""

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return when it answers.

        Raises:
            ServiceError: it ended before, or did not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            self.check()
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{self.name} did not answer in {START_SECONDS:.0f} s", self.tail
                )
            time.sleep(0.1)
        self.check()

    def check(self) -> None:
        """Raise ServiceError where it has ended."""
        if (code := self._process.poll()) is not None:
            raise ServiceError(f"{self.name} ended with exit code {code}", self.tail)

    def new_lines(self) -> list[str]:
        """Return what it wrote since the last call, in whole lines."""
        *lines, self._partial = (self._partial + self._reader.read()).split("\n")
        return lines

    @property
    def tail(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def stop(self) -> None:
        """End it and all that it started."""
        family = [self._process]
        with suppress(psutil.NoSuchProcess):
            family += self._process.children(recursive=True)
            self._process.terminate()
        _, left = psutil.wait_procs(family, timeout=self.patience)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=self.patience)
        self._reader.close()


def require_free_port(port: int, option: str) -> None:
    """Raise UserError where somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"port {port} of 127.0.0.1 is taken ({error.strerror}); stop what listens there, "
                f"or choose another with {option}"
            ) from None


def require_writable(folder: Path) -> None:
    """Make the folder; raise UserError where nothing can be written to it."""
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder with --home"
        ) from None


def answers_at(url: str) -> Callable[[], bool]:
    """Return a question: does somebody answer 200 at this URL of ours, past any proxy?"""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask() -> bool:
        with suppress(OSError), direct.open(url, timeout=5) as answer:
            return answer.status == 200
        return False

    return ask
