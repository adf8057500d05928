"""Processes that train together listen for one another, so that none waits for one that is gone.

Behind a cut link, sums over processes wait for half an hour. Here the leader has a connection to
every other process, on which both send a beat every few seconds. Who hears nothing for a while, or
finds the connection closed without a farewell, ends its own process, whatever it waits for.
"""

import asyncio
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from zoo.training.distribution.place import Place

EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 30.0  # six beats; a link that is slow for a moment is not a cut one
LOST_PEER = 75  # exit code: EX_TEMPFAIL of sysexits.h, "try again later"
_BEAT, _FAREWELL = b".", b"q"
_KEY_NUMBERS = 3  # of 24 bits, which float32 carries exactly


def end_process(reason: str) -> None:
    """End this process at once: its other threads may wait for what never comes."""
    print(f"{reason}; this process ends, and the run resumes from its checkpoint", file=sys.stderr)
    sys.stderr.flush()
    os._exit(LOST_PEER)


class Heartbeat:
    """Beats to the others while it is entered, and listens.

    An exception that leaves it closes the connections without a farewell: the others end too.

    Args:
        place: of this process.
        from_leader: numbers -> the leader's, in every process.
        lost: called with the reason, in a thread of its own, where another process is gone.
        every, patience: seconds between beats, and without one until a process is lost.
    """

    def __init__(
        self,
        place: Place,
        from_leader: Callable[[Sequence[float]], Sequence[float]],
        *,
        lost: Callable[[str], None] = end_process,
        every: float = EVERY_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ):
        self._place, self._lost = place, lost
        self._every, self._patience = every, patience
        self._from_leader = from_leader
        self._met: set[int] = set()
        self._talks: set[asyncio.Task] = set()

    def __enter__(self):
        leads = self._place.rank == 0
        listener = _listen(self._place) if leads else None
        numbers = [secrets.randbits(24) for _ in range(_KEY_NUMBERS)]
        numbers.append(listener.getsockname()[1] if listener else 0)
        *key, self._port = (int(number) for number in self._from_leader(numbers))
        self._key = b"".join(number.to_bytes(3) for number in key)
        self._loop = asyncio.new_event_loop()
        self._leaving = asyncio.Event()
        self._watching = self._lead(listener) if listener else self._join()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._in_peace = kind is None
        with suppress(RuntimeError):  # the loop is closed: another process was lost
            self._loop.call_soon_threadsafe(self._leaving.set)
        self._thread.join(self._every)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._watching)
        except Exception as error:  # a heartbeat must not stop without a word
            self._lose(f"the heartbeat of process {self._place.rank} failed: {error}")
        finally:
            self._loop.close()

    def _lose(self, reason: str) -> None:
        if not self._leaving.is_set():  # who leaves need not know
            self._lost(reason)

    async def _lead(self, listener: socket.socket) -> None:
        server = await asyncio.start_server(self._meet, sock=listener)
        try:
            await self._await_calls()
            await self._leaving.wait()
            await asyncio.gather(*self._talks)
        finally:
            server.close()

    async def _await_calls(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._leaving.wait()
        silent = set(range(1, self._place.size)) - self._met
        if silent:
            self._lose(
                f"process {min(silent)} of {self._place.size} has not called at port {self._port} "
                f"within {self._patience:g} s"
            )

    async def _meet(self, reader, writer) -> None:
        """Listen to one that calls, if it knows the key: ports are scanned by many."""
        self._talks.add(asyncio.current_task())
        hello = await self._receive(reader, len(self._key) + 4)
        if hello[:-4] != self._key:
            writer.close()
            return
        rank = int.from_bytes(hello[-4:])
        self._met.add(rank)
        await self._beat(rank, reader, writer)

    async def _receive(self, reader, size: int) -> bytes:
        """Return so many bytes, or none where they do not come in time."""
        reading = asyncio.ensure_future(reader.readexactly(size))
        leaving = asyncio.ensure_future(self._leaving.wait())
        await asyncio.wait(
            (reading, leaving), timeout=self._patience, return_when=asyncio.FIRST_COMPLETED
        )
        answer, _ = await _cancelled(reading, leaving)
        return answer if isinstance(answer, bytes) else b""

    async def _join(self) -> None:
        host = self._place.host
        try:
            async with asyncio.timeout(self._patience):
                reader, writer = await asyncio.open_connection(host, self._port)
        except (TimeoutError, OSError) as error:
            self._lose(
                f"the heartbeat of process 0 at {host}:{self._port} cannot be reached: {error}"
            )
            return
        writer.write(self._key + self._place.rank.to_bytes(4))
        await self._beat(0, reader, writer)

    async def _beat(self, rank: int, reader, writer) -> None:
        listening = asyncio.ensure_future(self._hear(rank, reader))
        leaving = asyncio.ensure_future(self._leaving.wait())
        done: set = set()
        try:
            while not done:
                writer.write(_BEAT)
                done, _ = await asyncio.wait(
                    (listening, leaving), timeout=self._every, return_when=asyncio.FIRST_COMPLETED
                )
            if leaving in done and self._in_peace:
                writer.write(_FAREWELL)
        finally:
            await _cancelled(listening, leaving)
            writer.close()

    async def _hear(self, rank: int, reader) -> None:
        """Return when a process has said farewell; where it is lost, tell so."""
        name = f"process {rank} of {self._place.size}"
        heard = b""
        while _FAREWELL not in heard:
            try:
                async with asyncio.timeout(self._patience):
                    heard = await reader.read(64)
            except TimeoutError:
                silence = f"was not heard for {self._patience:g} s"
                return self._lose(f"{name} {silence}: it hangs, or the link is cut")
            except ConnectionResetError:  # it died with something unread
                return self._lose(f"{name} has ended before its time")
            except OSError as error:
                return self._lose(f"{name} is lost: {error}")
            if not heard:
                return self._lose(f"{name} has ended before its time")
        return None


async def _cancelled(*tasks) -> list:
    """Cancel what is not done yet; return what each came to. None is left to be forgotten."""
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


def _listen(place: Place) -> socket.socket:
    """Listen on this machine alone where the others are here too, and everywhere otherwise.

    A leader's name is not what it listens at: Debian has a machine's own name stand for 127.0.1.1.
    """
    if place.host in ("localhost", "127.0.0.1"):
        return socket.create_server(("127.0.0.1", 0))
    if place.host == "::1":
        return socket.create_server(("::1", 0), family=socket.AF_INET6)
    if socket.has_dualstack_ipv6():
        with suppress(OSError):  # a machine whose IPv6 is switched off
            return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))
