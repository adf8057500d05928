"""Where pictures come in to `zoo serve`: a request is read, asked of the model, and answered."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from flows.answer_forms import FORMS
from flows.serve_batcher import ON_THEIR_WAY, Batcher
from flows.serve_keeper import ModelKeeper
from flows.serve_limits import Intake, RefusedError
from flows.serve_model import Answer, ModelProcess
from flows.serve_request import announced_size, read_request
from flows.serve_terms import HEADERS, Terms

_INTAKE_BYTES = 2**28  # of all bodies that are being read or answered, at the least


class Door:
    """Takes requests for answers in.

    Args:
        keeper, batcher: who answers.
        terms: on which.
    """

    def __init__(self, keeper: ModelKeeper, batcher: Batcher, terms: Terms):
        self._keeper, self._batcher, self._terms = keeper, batcher, terms
        at_once = terms.room + ON_THEIR_WAY * terms.limits.pictures
        total = max(_INTAKE_BYTES, 2 * terms.limits.bytes)
        self._intake = Intake(at_once, total, batcher.retry_after)

    async def predict(self, request: Request) -> Response:
        """Answer a request's pictures."""
        size = announced_size(request.headers, self._terms.limits)
        model = self._keeper.require()
        with self._intake.admit(size):
            return await self._answer(request, model)

    async def _answer(self, request: Request, model: ModelProcess) -> Response:
        seconds, form = self._terms.seconds, FORMS[model.facts["kind"]]
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                asked = await read_request(request, form, self._terms.limits)
        except TimeoutError:
            raise RefusedError(408, f"the request did not arrive within {seconds:g} s") from None
        try:
            async with asyncio.timeout_at(deadline):
                answers = await _unless_gone(request, self._batcher.ask(asked.questions))
        except TimeoutError:
            raise RefusedError(504, f"no answer within {seconds:g} s", retry_after=1) from None
        labels = sorted({quote(answer.label, safe=":/@") for answer in answers})
        body = asked.joined([answer.body for answer in answers])
        headers = HEADERS | {"X-Model": ", ".join(labels)}
        return Response(body, media_type="application/json", headers=headers)


async def _unless_gone(request: Request, work: Awaitable[list[Answer]]) -> list[Answer]:
    """Do the work, but not for a client that hangs up."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return await working
    finally:
        for task in (working, leaving):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await leaving


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
