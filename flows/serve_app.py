"""The web application of `zoo serve`: what it answers at which path, and whom.

POST /predict, /invocations   pictures in, answers out (`flows.serve_request`)
GET  /model                   the model and the limits
GET  /                        a page to drop a picture on
GET  /health/live, /health/ready, /metrics; /ping, /health and /version as MLflow has them
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from flows import serve_errors
from flows.serve_batcher import Batcher
from flows.serve_door import Door
from flows.serve_keeper import ModelKeeper
from flows.serve_limits import RefusedError
from flows.serve_metrics import Counted, Metrics
from flows.serve_pages import OPEN, Pages
from flows.serve_terms import Terms
from flows.serve_token import TokenGate

PREDICT = ("/predict", "/invocations")
PATHS = (*PREDICT, "/model", "/metrics", *OPEN)


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
            RefusedError: serve_errors.refused,
            HTTPException: serve_errors.refused_by_starlette,
            ClientDisconnect: serve_errors.nobody_there,
            Exception: serve_errors.failed,
        },
    )
