"""What `zoo serve` answers where it does not answer: a status, and the reason as JSON."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flows.serve_limits import RefusedError
from flows.serve_terms import HEADERS

_HUNG_UP = 499  # nobody reads it; it is for the metrics


def told(status: int, reason: str) -> dict[str, str]:
    """Return an error as MLflow's clients know it."""
    codes = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "REQUEST_LIMIT"}
    fallback = "INVALID_PARAMETER_VALUE" if status < 500 else "TEMPORARILY_UNAVAILABLE"
    return {"error_code": codes.get(status, fallback), "message": reason}


async def refused(request: Request, error: Exception) -> Response:
    """Tell why a request is refused, and when to try again."""
    assert isinstance(error, RefusedError)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return JSONResponse(told(error.status, error.reason), error.status, headers=HEADERS | headers)


async def refused_by_starlette(request: Request, error: Exception) -> Response:
    """Tell an unknown path or method in the same form."""
    assert isinstance(error, HTTPException)
    reason = f"{error.detail}: {request.method} {request.url.path}"
    return JSONResponse(told(error.status_code, reason), error.status_code, headers=error.headers)


async def nobody_there(request: Request, error: Exception) -> Response:
    """Note that the client has hung up."""
    return Response(status_code=_HUNG_UP)


async def failed(request: Request, error: Exception) -> Response:
    """Tell that it is the server's fault, and no more than that."""
    return JSONResponse(told(500, "the server failed on it; its log has the reason"), 500)
