"""`zoo serve`: the web server, the model beside it, and the order in which they begin and end.

The address is taken first, so that one that is not free costs no waiting; then the server answers
(/health/ready says no) while the model starts. SIGTERM and ctrl-C end it: nothing new is taken in,
what was is answered, then the model process ends. A second ctrl-C does not wait.
"""

import asyncio
import ipaddress
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn

from flows.console import note
from flows.runtime import UserError, choose_backend
from flows.serve_app import build_app
from flows.serve_batcher import Batcher
from flows.serve_keeper import ModelKeeper, Versions
from flows.serve_metrics import Metrics
from flows.serve_terms import Terms

MOST_CONNECTIONS = 500  # below the 1,024 files that a process may usually have open
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FINISH_SECONDS = 10  # beyond a request's own, to send its answer


@dataclass(frozen=True)
class Serving:
    """How a model is served.

    Args:
        host, port: where; port 0 takes a free one.
        backend: tensorflow, jax, torch or auto.
        terms: of requests.
        batch: pictures the model sees at once, at most.
        linger: seconds that an incomplete batch waits for more pictures.
        poll: seconds between two looks at the model's name.
    """

    host: str
    port: int
    backend: str
    terms: Terms
    batch: int
    linger: float
    poll: float

    @property
    def sizes(self) -> list[int]:
        """Of the batches that the model sees: powers of two, and the largest."""
        powers = [1 << power for power in range(self.batch.bit_length())]
        return sorted({*powers, self.batch})


def serve(versions: Versions, serving: Serving) -> None:
    """Serve until SIGTERM or an interrupt.

    Raises:
        UserError: the address cannot be had, or needs a token; the model cannot be opened.
        ModelError: the model's process ended before it was ready.
    """
    require_token(serving.host, serving.terms.token)
    choose_backend(serving.backend)
    with listening(serving.host, serving.port) as listener:
        asyncio.run(_serve(versions, serving, listener))


def require_token(host: str, token: str | None) -> None:
    """Raise UserError where other machines could ask without a token."""
    if token is None and not _is_loopback(host):
        raise UserError(
            f"--host {host}: other machines reach it, so a token is needed: "
            "--token-file FILE, or ZOO_TOKEN"
        )


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address.

    Raises:
        UserError: somebody else has it, or this machine does not.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=MOST_CONNECTIONS)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        remedy = "stop what listens there, or choose another with --port; 0 takes a free one"
        raise UserError(f"port {port} of {host}: {reason}; {remedy}") from None
    with listener:
        yield listener


async def _serve(versions: Versions, serving: Serving, listener: socket.socket) -> None:
    metrics = Metrics(serving.sizes)
    backend, _ = choose_backend(serving.backend)
    keeper = ModelKeeper(
        versions, backend=backend, sizes=serving.sizes, poll=serving.poll, tell=note
    )
    batcher = Batcher(
        keeper.ask,
        most=serving.batch,
        linger=serving.linger,
        room=serving.terms.room,
        weigh=lambda question: question.picture.pixels,
        weight=serving.terms.limits.pixels,
        watch=metrics.count_batch,
    )
    server = _Server(_uvicorn_config(build_app(keeper, batcher, metrics, serving.terms), serving))
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, server.handle_exit, number, None)
    url = _url(serving.host, listener.getsockname()[1])  # uvicorn closes it at the end
    web = asyncio.create_task(server.serve(sockets=[listener]))
    work = asyncio.create_task(_work(keeper, batcher, url))
    try:
        await asyncio.wait({web, work}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():  # it only ends by an error
            await work
        note("stopping: what was accepted is answered first")
    finally:
        server.should_exit = True
        await web
        work.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await work
        await keeper.stop()


async def _work(keeper: ModelKeeper, batcher: Batcher, url: str) -> None:
    """Start the model, then keep it and feed it."""
    note(f"{url}: starting the model")
    await keeper.start()
    assert keeper.current is not None
    version, facts = keeper.current.version, keeper.current.facts
    print(f"{url}  {version.label} ({facts['kind']}, {facts['backend']})", flush=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(keeper.run())
        group.create_task(batcher.run())


class _Server(uvicorn.Server):
    """A server that leaves signals to us: uvicorn's own would be raised again at the end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn_config(app, serving: Serving) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(serving.terms.seconds) + _FINISH_SECONDS,
    )


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
