"""The token of `zoo serve`: who brings it is answered."""

import hmac

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from flows.serve_errors import told
from flows.serve_pages import OPEN


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
            refusal = JSONResponse(told(401, "a token is needed: Authorization: Bearer TOKEN"), 401)
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        if self._expected is None:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = given.partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + token.strip(), self._expected)
