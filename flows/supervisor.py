"""The worker process seen from the controller: started, taken over, followed, started again.

A worker lives in a session of its own, so that it outlives a controller that is killed; the next
controller finds it by the lock it holds and follows it from its journal. A worker that dies is
started again and resumes; one that dies over and over without getting further is given up.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flows.journal import REPEATED, JournalReader, last_event
from flows.run_folder import RunFolder, is_held
from flows.runtime import UserError, worker_environment
from flows.worker_process import WorkerError

WORKER = (sys.executable, "-P", "-m", "flows.worker")  # -P: a folder `flows` here is not ours
GROUP = (sys.executable, "-P", "-m", "flows.group")
POLL_SECONDS = 0.2
LEAVE_SECONDS = 30.0  # that a worker has to end when it is done, or told to
MAX_RESTARTS = 3  # in a row without a new event in the journal
_USERS_MISTAKE = 2  # the worker's exit code for it


class Worker:
    """The process that trains one run, whoever started it, or the group of processes.

    Args:
        folder: the run.
        backend: the Keras backend it computes on.
        processes: so many train together.
    """

    def __init__(self, folder: RunFolder, *, backend: str, processes: int = 1) -> None:
        self.folder, self.backend = folder, backend
        self.processes = processes
        self.seconds = 0.0  # that a worker was alive while we followed
        self.restarts = 0
        self._process: subprocess.Popen | None = None

    def follow(self) -> Iterator[dict | None]:
        """Yield the journal's events until the run is finished; None where nothing is new.

        Raises:
            UserError: the worker found the user's mistake.
            WorkerError: it died more than `MAX_RESTARTS` times in a row without progress.
        """
        reader = JournalReader(self.folder.journal)
        events, attempts = reader.poll(), 0
        yield from events
        finished = last_event(events, "finished") is not None
        while not finished:
            progressed = False
            for event in self._attempt(reader):
                yield event
                progressed = progressed or bool(event and event["kind"] not in REPEATED)
                finished = finished or bool(event and event["kind"] == "finished")
            if not finished:
                attempts = 0 if progressed else attempts + 1
                self._judge(attempts)

    def stop(self) -> None:
        """End the worker; a later start resumes it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.is_running():
                self._signal(number)
                self._wait(LEAVE_SECONDS)

    def is_running(self) -> bool:
        """Return whether a worker is at work on the run, ours or an earlier controller's."""
        ours = self._process is not None and self._process.poll() is None
        return ours or is_held(self.folder.worker_lock)

    def _attempt(self, reader: JournalReader) -> Iterator[dict | None]:
        """Yield what one life of a worker brings."""
        began = time.monotonic()
        try:
            if not self.is_running():
                self._start()
            while self.is_running():
                events = reader.poll()
                yield from events
                if not events:
                    yield None
                if last_event(events, "finished"):
                    self._wait(LEAVE_SECONDS)
                    self.stop()
                time.sleep(POLL_SECONDS)
            yield from reader.poll()
        finally:
            self.seconds += time.monotonic() - began

    def _start(self) -> None:
        command = [*WORKER, "train", str(self.folder.path)]
        if self.processes > 1:
            command = [*GROUP, str(self.folder.path), str(self.processes)]
        with self.folder.worker_log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=worker_environment(self.backend),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.folder.worker_pid.write_text(str(self._process.pid))

    def _judge(self, attempts: int) -> None:
        """Raise where starting the dead worker again makes no sense."""
        code = None if self._process is None else self._process.poll()
        log = _tail(self.folder.worker_log)
        last_line = log.splitlines()[-1] if log else "it wrote nothing"
        if code == _USERS_MISTAKE and not is_held(self.folder.worker_lock):
            raise UserError(last_line)
        if attempts > MAX_RESTARTS:
            raise WorkerError(
                f"the worker {describe_end(code)} {attempts} times without getting further: "
                f"{last_line} (all of it: {self.folder.worker_log})",
                log,
            )
        self.restarts += 1

    def _signal(self, number: int) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.killpg(int(self.folder.worker_pid.read_text()), number)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)


def describe_end(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is None:
        return "ended"
    if code == -signal.SIGKILL:
        return "was killed (out of memory?)"
    return f"died of signal {-code}" if code < 0 else f"failed with exit code {code}"


def _tail(log: Path, size: int = 8000) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode(errors="replace").strip()
