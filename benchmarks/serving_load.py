"""Ask a server about pictures: as fast as it answers, or at a rate of one's own.

A process by itself, which reads a `Load` as JSON on stdin and prints what came of it as JSON. A
closed loop has so many clients, each of whom asks again when it is answered. An open loop asks at
random moments (Poisson) whatever the server does; there seconds count from the moment a request was
due, not from when it left.
"""

import asyncio
import base64
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

# Batches of other sizes round otherwise: a thousandth of a pixel, a hundred-thousandth of a score.
BOXES, SCORES = 1e-2, 1e-4
PATIENCE = 60.0  # seconds for an answer


@dataclass
class Load:
    """What is asked, where and how often.

    Args:
        url: of the endpoint.
        as_json: whether pictures go as MLflow's JSON, else as they are.
        folder: of `0.jpg`, ... and `expected.json`, the answer for each.
        seconds: how long.
        concurrency: clients of the closed loop; 0: an open one.
        rate: requests a second of the open loop.
    """

    url: str
    as_json: bool
    folder: str
    seconds: float
    concurrency: int = 0
    rate: float = 0.0


@dataclass
class Outcome:
    """What came back.

    Args:
        statuses: how often each came; "error": no answer.
        right, wrong: of the answers with status 200.
        seconds: that each answer with status 200 took; `refused_seconds`: with another one.
    """

    statuses: Counter = field(default_factory=Counter)
    right: int = 0
    wrong: int = 0
    seconds: list[float] = field(default_factory=list)
    refused_seconds: list[float] = field(default_factory=list)
    errors: Counter = field(default_factory=Counter)


class Client:
    """Asks about one picture after another and compares the answers.

    Args:
        session: of HTTP.
        load: what is asked.
    """

    def __init__(self, session: aiohttp.ClientSession, load: Load):
        folder = Path(load.folder)
        self.expected = json.loads((folder / "expected.json").read_text())
        self.bodies = [(folder / f"{k}.jpg").read_bytes() for k in range(len(self.expected))]
        self.session, self.load, self.outcome = session, load, Outcome()
        kind = "application/json" if load.as_json else "image/jpeg"
        self.headers = {"Content-Type": kind}
        if load.as_json:
            self.bodies = [_as_json(body) for body in self.bodies]

    async def ask(self, number: int, due: float) -> None:
        """Ask about a picture, and note what comes back."""
        number %= len(self.bodies)
        try:
            async with self.session.post(
                self.load.url, data=self.bodies[number], headers=self.headers
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.outcome.statuses["error"] += 1
            self.outcome.errors[type(error).__name__] += 1
            return
        took = time.perf_counter() - due
        self.outcome.statuses[str(answer.status)] += 1
        if answer.status != 200:
            self.outcome.refused_seconds.append(took)
            return
        self.outcome.seconds.append(took)
        found = json.loads(body)
        found = found["predictions"][0] if self.load.as_json else found
        if is_same(found, self.expected[number]):
            self.outcome.right += 1
        else:
            self.outcome.wrong += 1

    async def closed_loop(self) -> None:
        """Keep so many requests on their way until the time is over."""
        end = time.perf_counter() + self.load.seconds
        numbers = iter(range(10**9))

        async def one() -> None:
            while (now := time.perf_counter()) < end:
                await self.ask(next(numbers), now)

        await asyncio.gather(*(one() for _ in range(self.load.concurrency)))

    async def open_loop(self) -> None:
        """Ask at the rate, whether there are answers or not."""
        chance, due, number = random.Random(0), time.perf_counter(), 0
        end = due + self.load.seconds
        async with asyncio.TaskGroup() as group:
            while (due := due + chance.expovariate(self.load.rate)) < end:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self.ask(number, due))
                number += 1


def is_same(found: dict, expected: dict) -> bool:
    """Return whether an answer has the expected objects, within what batches round."""
    return found["labels"] == expected["labels"] and all(
        abs(a - b) <= bound
        for name, bound in (("scores", SCORES), ("boxes", BOXES))
        for a, b in zip(_flat(found[name]), _flat(expected[name]), strict=True)
    )


def _flat(values: list) -> list[float]:
    return [one for row in values for one in (row if isinstance(row, list) else [row])]


def _as_json(body: bytes) -> bytes:
    text = base64.b64encode(body).decode()
    return json.dumps({"dataframe_records": [{"image": text}]}).encode()


async def run(load: Load) -> dict:
    """Return what came of a load."""
    connector = aiohttp.TCPConnector(limit=load.concurrency or 400)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        client = Client(session, load)
        await (client.closed_loop() if load.concurrency else client.open_loop())
    return vars(client.outcome) | {"elapsed": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Load(**json.load(sys.stdin))))))
