"""What `zoo serve` shows to people and to machines that watch."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from flows.answer_forms import FORMS
from flows.serve_keeper import ModelKeeper
from flows.serve_metrics import Metrics
from flows.serve_terms import HEADERS, Terms

# Whoever may not ask the model may still see whether it lives, and the page that asks for a token.
OPEN = ("/", "/health/live", "/health/ready", "/ping", "/health", "/version")
PAGE = Path(__file__).with_name("serve_page.html")
_PAGE_HEADERS = HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


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
        model = self._keeper.require()
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
            headers=HEADERS,
        )

    async def live(self, request: Request) -> Response:
        """The server answers."""
        return PlainTextResponse("live\n", headers=HEADERS)

    async def ready(self, request: Request) -> Response:
        """A model would answer, too."""
        self._keeper.require()
        return PlainTextResponse("ready\n", headers=HEADERS)

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text."""
        return Response(self._metrics.text(), headers={"Content-Type": self._metrics.content_type})

    async def version(self, request: Request) -> Response:
        """The package's."""
        return PlainTextResponse(version("keras-vision-zoo") + "\n", headers=HEADERS)
