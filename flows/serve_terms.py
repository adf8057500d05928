"""On what terms `zoo serve` answers."""

from dataclasses import dataclass

from flows.serve_limits import Limits

HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}  # of every answer


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
