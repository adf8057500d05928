"""The batcher by itself: batches, room, order, failures, and who gets which answer."""

import asyncio
import contextlib
import random

import pytest

from flows.serve_batcher import ON_THEIR_WAY, Batcher
from flows.serve_limits import RefusedError

pytestmark = pytest.mark.any_backend


@contextlib.asynccontextmanager
async def running(send, **options):
    batcher = Batcher(send, **options)
    task = asyncio.create_task(batcher.run())
    try:
        yield batcher
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Model:
    """Doubles numbers, when it may."""

    def __init__(self):
        self.batches = []
        self.may = asyncio.Event()

    async def send(self, items):
        self.batches.append(items)
        await self.may.wait()
        return [2 * item for item in items]


async def settled():
    """Let everything happen that can."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_full_batch_leaves_at_once_and_an_incomplete_one_after_a_while():
    async def scenario():
        model = Model()
        model.may.set()
        async with running(model.send, most=4, linger=3600, room=100) as batcher:
            assert await batcher.ask([1, 2, 3, 4]) == [2, 4, 6, 8]
        async with running(model.send, most=4, linger=0.01, room=100) as batcher:
            assert await batcher.ask([5]) == [10]
        assert model.batches == [[1, 2, 3, 4], [5]]

    asyncio.run(scenario())


def test_an_incomplete_batch_waits_for_more():
    async def scenario():
        model = Model()
        model.may.set()
        async with running(model.send, most=2, linger=3600, room=100) as batcher:
            first = asyncio.create_task(batcher.ask([1]))
            await settled()
            assert model.batches == []
            assert await batcher.ask([2]) == [4]
            assert await first == [2]
        assert model.batches == [[1, 2]]

    asyncio.run(scenario())


def test_what_waits_while_the_model_is_busy_leaves_together():
    async def scenario():
        model = Model()
        async with running(model.send, most=8, linger=0, room=100) as batcher:
            asking = []
            for number in range(12):
                asking.append(asyncio.create_task(batcher.ask([number])))
                await settled()
            assert model.batches == [[0], [1]]  # so many are on their way at a time
            model.may.set()
            assert await asyncio.gather(*asking) == [[2 * number] for number in range(12)]
        assert model.batches[ON_THEIR_WAY:] == [list(range(2, 10)), [10, 11]]

    asyncio.run(scenario())


def test_what_has_no_room_is_refused_and_what_waits_is_answered():
    async def scenario():
        model = Model()
        async with running(model.send, most=1, linger=0, room=4) as batcher:
            asking = [asyncio.create_task(batcher.ask([n])) for n in range(ON_THEIR_WAY)]
            await settled()
            asking += [asyncio.create_task(batcher.ask([n, n])) for n in (10, 20)]
            await settled()
            with pytest.raises(RefusedError) as caught:
                await batcher.ask([30])
            assert caught.value.status == 429
            assert caught.value.retry_after >= 1
            model.may.set()
            answers = await asyncio.gather(*asking)
            assert answers == [[0], [2], [20, 20], [40, 40]]
            assert await batcher.ask([4, 5, 6, 7]) == [8, 10, 12, 14]  # there is room again

    asyncio.run(scenario())


def test_who_gives_up_costs_neither_room_nor_work():
    async def scenario():
        model = Model()
        async with running(model.send, most=1, linger=0, room=2) as batcher:
            asking = [asyncio.create_task(batcher.ask([n])) for n in range(ON_THEIR_WAY)]
            await settled()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await batcher.ask([98, 99])
            assert len(batcher) == 0
            asking.append(asyncio.create_task(batcher.ask([5, 6])))
            model.may.set()
            assert await asyncio.gather(*asking) == [[0], [2], [10, 12]]
        assert model.batches == [[0], [1], [5], [6]]

    asyncio.run(scenario())


def test_each_of_200_gets_its_own_answer():
    chance = random.Random(0)

    async def send(items):
        await asyncio.sleep(chance.random() / 200)
        return [f"answer {item}" for item in items]

    async def ask(batcher, number):
        await asyncio.sleep(chance.random() / 20)
        items = [f"{number}/{part}" for part in range(chance.randint(1, 3))]
        return await batcher.ask(items) == [f"answer {item}" for item in items]

    async def scenario():
        async with running(send, most=8, linger=0.001, room=1000) as batcher:
            return await asyncio.gather(*(ask(batcher, number) for number in range(200)))

    assert asyncio.run(scenario()) == [True] * 200


def test_a_refused_picture_fails_its_own_request_and_a_failed_batch_all_of_it():
    async def send(items):
        if "fatal" in items:
            raise RefusedError(503, "gone")
        return [RefusedError(422, "bad") if item == "bad" else item for item in items]

    async def scenario():
        async with running(send, most=4, linger=0.01, room=100) as batcher:
            bad, good = await asyncio.gather(
                batcher.ask(["a", "bad"]), batcher.ask(["b", "c"]), return_exceptions=True
            )
            assert bad.status == 422
            assert good == ["b", "c"]
            both = await asyncio.gather(
                batcher.ask(["fatal"]), batcher.ask(["d"]), return_exceptions=True
            )
            assert [one.status for one in both] == [503, 503]
            assert await batcher.ask(["e"]) == ["e"]

    asyncio.run(scenario())


def test_heavy_pictures_leave_in_smaller_batches():
    async def scenario():
        model = Model()
        model.may.set()
        options = {"most": 8, "linger": 0.01, "room": 100, "weigh": float, "weight": 10}
        async with running(model.send, **options) as batcher:
            await batcher.ask([4, 4, 4, 25, 1])
        assert model.batches == [[4, 4], [4], [25], [1]]

    asyncio.run(scenario())
