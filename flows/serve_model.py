"""The parent's handle on a model process: started, asked, drained, ended; its death is noticed.

The process is a fresh one on its backend (`flows.serve_process`) in a session of its own, so that
ctrl-C leaves it to us. It ends when its socket does, however this process ends.
"""

import asyncio
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import serve_wire
from flows.runtime import UserError, worker_environment
from flows.serve_limits import Picture, RefusedError
from flows.supervisor import describe_end

ANSWER_SECONDS = 60.0  # a process that computes longer on a batch hangs
END_SECONDS = 10.0  # that it has to end when its socket is closed
_LOG_BYTES = 8000


class ModelError(RuntimeError):
    """A model process did not start; `log` is the end of what it wrote."""

    def __init__(self, message: str, log: str = ""):
        self.log = log
        super().__init__(message)


@dataclass(frozen=True)
class Version:
    """A model that can be served.

    Args:
        label: what people call it, such as models:/bananas/3.
        file: its `.keras` file.
    """

    label: str
    file: Path


@dataclass(frozen=True)
class Question:
    """A picture and how its answer is wanted.

    Args:
        picture: what the model sees.
        parameters: of the kind's `AnswerForm`.
    """

    picture: Picture
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Args:
        body: JSON.
        label: of the version that said it.
    """

    body: bytes
    label: str


class ModelProcess:
    """A process that holds one model; `start` makes it.

    Args:
        version: what it serves.
        process, reader, writer: the process and its socket.
    """

    def __init__(
        self,
        version: Version,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ):
        self.version = version
        self.facts: dict[str, Any] = {}  # kind, class_names, backend
        self.gone = asyncio.Event()
        self.answered = 0  # pictures
        self._process, self._reader, self._writer = process, reader, writer
        self._asked: deque[asyncio.Future] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._log = b""
        self._tasks = [asyncio.create_task(self._keep_log())]

    @classmethod
    async def start(cls, version: Version, *, backend: str, sizes: Sequence[int]) -> "ModelProcess":
        """Start a process and return when it has opened the model and warmed it up.

        Args:
            version: what to serve.
            backend: tensorflow, jax or torch.
            sizes: of the batches that it may see.

        Raises:
            UserError: the file cannot be opened as a model.
            ModelError: the process ended before it was ready.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "flows.serve_process"),
                *(str(version.file), str(theirs.fileno()), *map(str, sizes)),
                env=worker_environment(backend),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        ours.setblocking(False)
        model = cls(version, process, *await asyncio.open_connection(sock=ours))
        try:
            await model._wait_until_ready()
        except BaseException:
            await model.stop(patience=0.0)
            raise
        return model

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def ask(self, questions: Sequence[Question]) -> list[Answer | RefusedError]:
        """Return the answer of each question; what cannot be answered has a refusal in its place.

        Raises:
            RefusedError: 503, the process is gone or has hung, and was killed.
        """
        if self.gone.is_set():
            raise self._lost()
        answers: asyncio.Future = asyncio.get_running_loop().create_future()
        self._asked.append(answers)
        self._idle.clear()
        self._writer.write(_message(questions))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answers
        except TimeoutError:
            self.kill()
            raise self._lost() from None

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def drain(self) -> None:
        """Return when everything it was asked is answered."""
        await self._idle.wait()

    async def stop(self, patience: float = END_SECONDS) -> None:
        """End it: its socket is closed, and it is killed where it does not end by itself."""
        self._writer.close()
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        self._fail_all()

    async def end(self) -> str:
        """Return how it ended and, where nobody killed it, the last line that it wrote."""
        code = await self._process.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._tasks[0]), 1.0)  # the rest of its log
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        told = f": {lines[-1]}" if lines and code != -signal.SIGKILL else ""
        return describe_end(code) + told

    @property
    def log(self) -> str:
        """The end of what it wrote."""
        return self._log.decode(errors="replace")

    async def _wait_until_ready(self) -> None:
        try:
            head, _ = await serve_wire.receive(self._reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ModelError(f"the model process {await self.end()}", self.log) from None
        if "mistake" in head:
            raise UserError(head["mistake"])
        self.facts = head["facts"]
        self._tasks.append(asyncio.create_task(self._listen()))

    async def _listen(self) -> None:
        try:
            while True:
                head, blobs = await serve_wire.receive(self._reader)
                self._hand_out(head["answers"], blobs)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._fail_all()

    def _hand_out(self, states: list[dict], blobs: list[bytes]) -> None:
        bodies = iter(blobs)
        answers: list[Answer | RefusedError] = [
            RefusedError(state["status"], state["reason"])
            if "reason" in state
            else Answer(next(bodies), self.version.label)
            for state in states
        ]
        self.answered += len(answers)
        future = self._asked.popleft()
        if not future.done():
            future.set_result(answers)
        if not self._asked:
            self._idle.set()

    def _fail_all(self) -> None:
        self.gone.set()
        while self._asked:
            future = self._asked.popleft()
            if not future.done():
                future.set_exception(self._lost())
        self._idle.set()

    def _lost(self) -> RefusedError:
        return RefusedError(503, "the model process ended; another one is starting", retry_after=2)

    async def _keep_log(self) -> None:
        assert self._process.stdout is not None
        while piece := await self._process.stdout.read(4096):
            self._log = (self._log + piece)[-_LOG_BYTES:]
            if self.facts:  # what libraries say while they start is of interest where that fails
                sys.stderr.write(piece.decode(errors="replace"))


def _message(questions: Sequence[Question]) -> bytes:
    asked = [
        {"shape": question.picture.shape, "parameters": dict(question.parameters)}
        for question in questions
    ]
    return serve_wire.pack({"asked": asked}, [question.picture.data for question in questions])
