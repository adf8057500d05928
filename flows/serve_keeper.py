"""Keeps one model at work: starts it again when it dies, replaces it when its name moves.

A replacement is started and warmed up beside the old process, which goes on answering; then every
new batch goes to the new one, and the old one ends when its last batch is answered. So no request
is lost, and for a while two models are in memory. One that does not start changes nothing.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from flows.runtime import UserError
from flows.serve_limits import RefusedError
from flows.serve_model import Answer, ModelError, ModelProcess, Question, Version

LONGEST_PAUSE = 30.0  # between two starts of a model that dies over and over


class Versions(Protocol):
    """Where models come from."""

    moves: bool  # whether the name may come to mean another version

    def latest(self) -> Version:
        """Return what the name means now; called in a thread."""
        ...


@dataclass
class Events:
    """What has happened so far, for metrics."""

    restarts: int = 0
    swaps: int = 0
    failed_swaps: int = 0
    failed_looks: int = 0


class ModelKeeper:
    """Has the current model process.

    Args:
        versions: tells which model is wanted.
        backend: of the processes.
        sizes: of batches.
        poll: seconds between two looks at the name.
        tell: takes a line for the operator.
    """

    def __init__(
        self,
        versions: Versions,
        *,
        backend: str,
        sizes: Sequence[int],
        poll: float,
        tell: Callable[[str], None],
    ):
        self.events = Events()
        self.current: ModelProcess | None = None
        self._versions, self._backend, self._sizes = versions, backend, sizes
        self._poll, self._tell = poll, tell
        self._changing = asyncio.Lock()
        self._back = asyncio.Event()  # set where one has become the current one
        self._refused: set[str] = set()  # versions that did not start
        self._leaving: set[asyncio.Task] = set()

    @property
    def ready(self) -> bool:
        """Whether a model would answer now."""
        return self.current is not None and not self.current.gone.is_set()

    def require(self) -> ModelProcess:
        """Return the model that would answer.

        Raises:
            RefusedError: 503, there is none at the moment.
        """
        if self.current is None or not self.ready:
            raise RefusedError(503, "the model is starting; try again soon", retry_after=2)
        return self.current

    async def start(self) -> None:
        """Return when the first model is ready.

        Raises:
            UserError, ModelError: it cannot be served.
        """
        version = await asyncio.to_thread(self._versions.latest)
        self._take(await self._open(version))

    async def run(self) -> None:
        """Watch the process and the name until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            if self._versions.moves:
                group.create_task(self._follow())

    async def ask(self, questions: Sequence[Question]) -> list[Answer | RefusedError]:
        """Return what the current model answers; without one, when there is one again.

        Raises:
            RefusedError: 503, it died over it.
        """
        while not self.ready:
            self._back.clear()
            await self._back.wait()
        assert self.current is not None
        return await self.current.ask(questions)

    async def stop(self) -> None:
        """End all processes."""
        if self.current is not None:
            await self.current.stop()
        await asyncio.gather(*self._leaving)

    async def _open(self, version: Version) -> ModelProcess:
        return await ModelProcess.start(version, backend=self._backend, sizes=self._sizes)

    def _take(self, model: ModelProcess) -> None:
        self.current = model
        self._back.set()

    async def _watch(self) -> None:
        """Start the model again when its process ends."""
        deaths = 0
        while True:
            watched = self.current
            assert watched is not None
            await watched.gone.wait()
            async with self._changing:
                if self.current is not watched:  # it was replaced, and ended as it should
                    continue
                self._tell(f"{watched.version.label}: the model process {await watched.end()}")
                deaths = 0 if watched.answered else deaths + 1
                await self._revive(watched.version, deaths)

    async def _revive(self, version: Version, deaths: int) -> None:
        while True:
            if deaths:
                await asyncio.sleep(min(2.0**deaths, LONGEST_PAUSE))
            self.events.restarts += 1
            began = time.monotonic()
            try:
                self._take(await self._open(version))
            except (UserError, ModelError, OSError) as error:
                deaths += 1
                self._tell(f"{version.label}: does not start again: {error}")
            else:
                seconds = time.monotonic() - began
                self._tell(f"{version.label}: started again in {seconds:.1f} s")
                return

    async def _follow(self) -> None:
        """Look at the name now and then."""
        away = False
        while True:
            await asyncio.sleep(self._poll)
            try:
                version = await asyncio.to_thread(self._versions.latest)
            except Exception as error:  # the registry is away or the name gone: serve what there is
                self.events.failed_looks += 1
                if not away:
                    self._tell(f"the model's name cannot be looked up, serving on: {error}")
                away = True
                continue
            away = False
            async with self._changing:
                await self._swap(version)

    async def _swap(self, version: Version) -> None:
        old = self.current
        assert old is not None
        if version.label == old.version.label or version.label in self._refused:
            return
        self._tell(f"{version.label}: starting beside {old.version.label}")
        try:
            model = await self._open(version)
        except (UserError, ModelError, OSError) as error:
            self.events.failed_swaps += 1
            self._refused.add(version.label)
            self._tell(f"{version.label}: does not start, {old.version.label} stays: {error}")
            return
        self._take(model)
        self.events.swaps += 1
        self._tell(f"{version.label}: serving in place of {old.version.label}")
        task = asyncio.create_task(_retire(old))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _retire(model: ModelProcess) -> None:
    await model.drain()
    await model.stop()
