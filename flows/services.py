"""A service of `zoo up`: a process with a log, which is ready some day and ends with its children.

Everything is ended by pid. A service's family (itself, its children, theirs) is looked at while it
lives, because a training has a session of its own and outlives its parents; at the end all of it is
told to stop, and whoever is left after a while is killed. A service ends with this process as well,
even where that is killed.
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
from flows.supervisor import describe_end

START_SECONDS = 300.0  # fresh databases are migrated: 20 s, far more on a starved machine
_TAIL_LINES = 15
_KILL_SECONDS = 10.0
# Ends the service when its own stdin ends, which it does when this process dies, even by SIGKILL.
_WATCHDOG = 'read -r _; kill "$0" 2>/dev/null'


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
        survived: its children go on without it where it dies, and are not in the next one's way.
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
        survived: bool = False,
    ) -> None:
        self.name, self.log, self.patience, self.survived = name, log, patience, survived
        self._command, self._environment = list(command), dict(environment)
        self._answers = answers
        self._family: list[psutil.Process] = []
        log.write_bytes(b"")
        self._reader: IO[str] = log.open(errors="replace")
        self._partial = ""
        self._start()

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
                raise self._error(f"did not answer in {START_SECONDS:.0f} s")
            time.sleep(0.1)
        self.check()

    def start_again(self) -> None:
        """Start what has died anew, on the same log; whether it is ready is not waited for."""
        self._watchdog.kill()
        self._watchdog.communicate()
        if not self.survived:
            _end(self._family, 0.0)
        self._start()

    def check(self) -> None:
        """Raise ServiceError where it has ended; call it now and then."""
        self._look_at_family()
        if (code := self._process.poll()) is not None:
            raise self._error(describe_end(code))

    def new_lines(self) -> list[str]:
        """Return what it wrote since the last call, in whole lines."""
        *lines, self._partial = (self._partial + self._reader.read()).split("\n")
        return lines

    def stop(self) -> None:
        """End it and all that it started, the descendants first: it may have to report them."""
        self._look_at_family()
        _end(self._family[1:], self.patience)
        _end(self._family[:1], self.patience)
        self._look_at_family()
        _end(self._family, 0.0)
        with suppress(psutil.TimeoutExpired):
            self._process.wait(_KILL_SECONDS)
        self._watchdog.kill()
        self._watchdog.communicate()
        self._reader.close()

    def _start(self) -> None:
        with self.log.open("ab") as output:
            self._process = psutil.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ctrl-C is for `zoo up`, which stops them in order
            )
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, str(self.pid)], stdin=subprocess.PIPE, start_new_session=True
        )
        self._family = [self._process, *filter(is_alive, self._family)]

    def _error(self, what: str) -> ServiceError:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return ServiceError(
            f"{self.name} {what}; its log: {self.log}", "\n".join(lines[-_TAIL_LINES:])
        )

    def _look_at_family(self) -> None:
        """Remember its children, before one of them is orphaned and cannot be found any more."""
        with suppress(psutil.NoSuchProcess):
            known = set(self._family)
            self._family += [
                process
                for process in self._process.children(recursive=True)
                if process not in known
            ]


def _end(processes: Sequence[psutil.Process], patience: float) -> None:
    """Tell them to end, and kill those that have not after a while."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    if not _wait(processes, patience):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _wait(processes, _KILL_SECONDS)


def _wait(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Wait until all have ended; return whether they have."""
    deadline = time.monotonic() + seconds
    while any(is_alive(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; one that nobody has reaped as yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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
