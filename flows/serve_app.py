"""The web application of `zoo serve`: what it answers at which path, and whom.

POST /predict, /invocations   pictures in, answers out (`flows.serve_request`)
GET  /model                   the model and the limits
GET  /                        a page to drop a picture on
GET  /health/live, /health/ready, /metrics; /ping, /health and /version as MLflow has them
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from flows.answer_forms import FORMS
from flows.serve_batcher import ON_THEIR_WAY, Batcher
from flows.serve_keeper import ModelKeeper
from flows.serve_limits import Intake, Limits, RefusedError
from flows.serve_metrics import Counted, Metrics
from flows.serve_model import Answer, ModelProcess
from flows.serve_request import announced_size, read_request

PREDICT = ("/predict", "/invocations")
# Whoever may not ask the model may still see whether it lives, and the page that asks for a token.
OPEN = ("/", "/health/live", "/health/ready", "/ping", "/health", "/version")
PATHS = (*PREDICT, "/model", "/metrics", *OPEN)
PAGE = Path(__file__).with_name("serve_page.html")
_INTAKE_BYTES = 2**28  # of all bodies that are being read or answered, at the least
_HUNG_UP = 499  # nobody reads it; it is for the metrics
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_PAGE_HEADERS = _HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Terms:
    """On what terms requests are answered.

    Args:
        limits: of a request.
        seconds: that reading and answering it may take.
        room: pictures that may wait.
        token: that a request has to bring; None: none.
    """

    limits: Limits
    seconds: float
    room: int
    token: str | None


def build_app(keeper: ModelKeeper, batcher: Batcher, metrics: Metrics, terms: Terms) -> Starlette:
    """Return the application."""
    door = Door(keeper, batcher, terms)
    metrics.read(keeper, batcher)
    pages = Pages(keeper, metrics, terms)
    routes = [Route(path, door.predict, methods=["POST"]) for path in PREDICT]
    routes += [Route(path, endpoint) for path, endpoint in pages.endpoints().items()]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(Counted, metrics=metrics, paths=PATHS),
            Middleware(TokenGate, token=terms.token),
        ],
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _refused_by_starlette,
            ClientDisconnect: _nobody_there,
            Exception: _failed,
        },
    )


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
        model = require_model(self._keeper)
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
        headers = _HEADERS | {"X-Model": ", ".join(labels)}
        return Response(body, media_type="application/json", headers=headers)


class Pages:
    """What is shown to people and to machines that watch.

    Args:
        keeper: who has the model.
        metrics: what was counted.
        terms: on which requests are answered.
    """

    def __init__(self, keeper: ModelKeeper, metrics: Metrics, terms: Terms):
        self._keeper, self._metrics, self._terms = keeper, metrics, terms
        self._page = PAGE.read_text(encoding="utf-8")

    def endpoints(self) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """Return what stands at each path."""
        return {
            "/": self.page,
            "/model": self.model,
            "/metrics": self.metrics,
            "/version": self.version,
            "/health/live": self.live,
            **dict.fromkeys(("/health/ready", "/health", "/ping"), self.ready),
        }

    async def page(self, request: Request) -> Response:
        """The page for pictures."""
        return HTMLResponse(self._page, headers=_PAGE_HEADERS)

    async def model(self, request: Request) -> Response:
        """The model and what a request may hold."""
        model = require_model(self._keeper)
        limits, facts = self._terms.limits, model.facts
        return JSONResponse(
            {
                "model": model.version.label,
                **facts,
                "parameters": dict(FORMS[facts["kind"]].defaults),
                "limits": {
                    "megabytes": limits.megabytes,
                    "megapixels": limits.megapixels,
                    "pictures": limits.pictures,
                },
            },
            headers=_HEADERS,
        )

    async def live(self, request: Request) -> Response:
        """The server answers."""
        return PlainTextResponse("live\n", headers=_HEADERS)

    async def ready(self, request: Request) -> Response:
        """A model would answer, too."""
        require_model(self._keeper)
        return PlainTextResponse("ready\n", headers=_HEADERS)

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text."""
        return Response(self._metrics.text(), headers={"Content-Type": self._metrics.content_type})

    async def version(self, request: Request) -> Response:
        """The package's."""
        return PlainTextResponse(version("keras-vision-zoo") + "\n", headers=_HEADERS)


class TokenGate:
    """An application that answers who brings the token.

    Args:
        app: the application.
        token: the secret; None: everybody is answered.
    """

    def __init__(self, app: ASGIApp, token: str | None):
        self._app = app
        self._expected = None if token is None else f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or 401."""
        if scope["type"] == "http" and scope["path"] not in OPEN and not self._knows(scope):
            told = JSONResponse(_told(401, "a token is needed: Authorization: Bearer TOKEN"), 401)
            told.headers["WWW-Authenticate"] = "Bearer"
            await told(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        if self._expected is None:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = given.partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + token.strip(), self._expected)


def require_model(keeper: ModelKeeper) -> ModelProcess:
    """Return the model that would answer.

    Raises:
        RefusedError: 503, there is none at the moment.
    """
    if keeper.current is None or not keeper.ready:
        raise RefusedError(503, "the model is starting; try again soon", retry_after=2)
    return keeper.current


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


def _told(status: int, reason: str) -> dict[str, str]:
    """Return an error as MLflow's clients know it."""
    codes = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "REQUEST_LIMIT"}
    fallback = "INVALID_PARAMETER_VALUE" if status < 500 else "TEMPORARILY_UNAVAILABLE"
    return {"error_code": codes.get(status, fallback), "message": reason}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return JSONResponse(_told(error.status, error.reason), error.status, headers=_HEADERS | headers)


async def _refused_by_starlette(request: Request, error: Exception) -> Response:
    """Tell an unknown path or method in the same form."""
    assert isinstance(error, HTTPException)
    reason = f"{error.detail}: {request.method} {request.url.path}"
    return JSONResponse(_told(error.status_code, reason), error.status_code, headers=error.headers)


async def _nobody_there(request: Request, error: Exception) -> Response:
    return Response(status_code=_HUNG_UP)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse(_told(500, "the server failed on it; its log has the reason"), 500)
