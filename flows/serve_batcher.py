"""Pictures of many requests -> batches for one model, first come, first served; asyncio alone.

A batch leaves when it is full or its oldest picture has waited long enough, and only two are on
their way at a time: while the model computes one, the next is decoded, and the others wait here,
where what is not wanted any more is dropped and what is too much is refused.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flows.serve_limits import busy

ON_THEIR_WAY = 2
_MEMORY = 0.9  # of the moving mean of seconds a picture


@dataclass
class _Waiting:
    item: Any
    answer: asyncio.Future
    since: float


class Batcher:
    """Collects what is asked and hands out answers.

    Args:
        send: answers a batch: a list of answers; one that is an exception is raised where its
            picture came from.
        most: pictures of a batch.
        linger: seconds that an incomplete batch waits for more.
        room: pictures that may wait.
        weigh, weight: a batch weighs at most so much, unless a single item does.
        watch: told the size of each batch that is sent.
    """

    def __init__(
        self,
        send: Callable[[list[Any]], Awaitable[Sequence[Any]]],
        *,
        most: int = 8,
        linger: float = 0.005,
        room: int = 64,
        weigh: Callable[[Any], float] = lambda item: 0.0,
        weight: float = math.inf,
        watch: Callable[[int], None] = lambda size: None,
    ):
        self._send, self._watch = send, watch
        self._most, self._linger, self._room = most, linger, room
        self._weigh, self._weight = weigh, weight
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._free = asyncio.Semaphore(ON_THEIR_WAY)
        self._pace = 0.05  # seconds a picture takes, until some have been seen
        self._tasks: set[asyncio.Task] = set()

    def __len__(self) -> int:
        """Return how many pictures wait."""
        return len(self._waiting)

    def retry_after(self) -> int:
        """Return after how many whole seconds the queue will have moved on."""
        return max(1, math.ceil(len(self._waiting) * self._pace))

    async def ask(self, items: Sequence[Any]) -> list[Any]:
        """Return the answer of each item; whoever stops waiting takes them out of the queue.

        Raises:
            RefusedError: 429, there is no room for them.
        """
        if len(self._waiting) + len(items) > self._room:
            raise busy(self.retry_after())
        loop = asyncio.get_running_loop()
        entries = [_Waiting(item, loop.create_future(), loop.time()) for item in items]
        self._waiting.extend(entries)
        self._arrived.set()
        try:
            return await asyncio.gather(*(entry.answer for entry in entries))
        finally:
            self._forget(entries)

    async def run(self) -> None:
        """Send batches until cancelled."""
        try:
            while True:
                await self._free.acquire()
                task = asyncio.create_task(self._answer(await self._collect()))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for task in self._tasks:
                task.cancel()

    def _forget(self, entries: list[_Waiting]) -> None:
        """Drop those that were not answered, so that they cost neither room nor work."""
        for entry in entries:
            entry.answer.cancel()
        if any(entry.answer.cancelled() for entry in entries):
            left = [entry for entry in self._waiting if not entry.answer.done()]
            self._waiting = deque(left)

    async def _collect(self) -> list[_Waiting]:
        while True:
            await self._until(1)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._waiting[0].since + self._linger):
                    await self._until(self._most)
            if batch := self._take():
                return batch

    async def _until(self, count: int) -> None:
        while len(self._waiting) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        weight = 0.0
        while self._waiting and len(batch) < self._most:
            weight += self._weigh(self._waiting[0].item)
            if batch and weight > self._weight:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._watch(len(batch))
        answers: Sequence[Any]
        try:
            answers = await self._send([entry.item for entry in batch])
        except Exception as error:
            answers = [error] * len(batch)
        finally:
            self._free.release()
        seconds = (loop.time() - began) / len(batch) / ON_THEIR_WAY
        self._pace = _MEMORY * self._pace + (1 - _MEMORY) * seconds
        for entry, answer in zip(batch, answers, strict=True):
            _settle(entry.answer, answer)


def _settle(future: asyncio.Future, answer: Any) -> None:
    if future.done():  # nobody waits any more
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
