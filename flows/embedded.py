"""Prefect without a server of the user's: one of our own for as long as a flow runs.

Where PREFECT_API_URL (or the user's Prefect profile) names a server, that one is used and nothing
is started. Otherwise a server on a free port of 127.0.0.1 keeps its database in `<home>/prefect`,
and ends with this process, however that ends.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_LOGGING_TO_API_ENABLED,
    get_current_settings,
    temporary_settings,
)

START_SECONDS = 300.0  # a fresh database is migrated: 15 s, far more on a starved machine
_SERVER = ("-m", "uvicorn", "--factory", "prefect.server.api.server:create_app")
# Kills the server when its own stdin ends, which it does when this process dies, even by SIGKILL.
_WATCHDOG = 'read -r _; kill "$0"'
_embedded: ContextVar[bool] = ContextVar("embedded", default=False)


class ServerError(RuntimeError):
    """There is no Prefect server to run with."""


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """Make sure that flows find a Prefect API, and yield its URL.

    Args:
        home: its database goes to `home/prefect`, except where PREFECT_HOME is set.

    Raises:
        ServerError: the server that is named does not answer, or the embedded one did not start.
    """
    if url := PREFECT_API_URL.value():
        require_answer(url)
        yield url
        return
    folder = Path(os.environ.get("PREFECT_HOME") or home.absolute() / "prefect")
    folder.mkdir(parents=True, exist_ok=True)
    bypass_proxies()
    with temporary_settings({PREFECT_HOME: folder}):
        with FileLock(folder / "server.lock"):  # one at a time migrates a fresh database
            process, port = _start(folder)
        watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, str(process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}/api"
        token = _embedded.set(True)
        try:
            with temporary_settings({PREFECT_API_URL: url, PREFECT_LOGGING_TO_API_ENABLED: False}):
                yield url
        finally:
            _embedded.reset(token)
            watchdog.communicate()
            process.wait()


def server_has_pages() -> bool:
    """Return whether the server in use shows pages; an embedded one does not, and is soon gone."""
    return not _embedded.get()


def require_answer(url: str) -> None:
    """Raise ServerError unless somebody answers at the user's URL, whatever the answer."""
    try:
        urllib.request.urlopen(f"{url}/health", timeout=20).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        raise ServerError(
            f"the Prefect server at {url} does not answer: {error}. Start it with `prefect server "
            "start`, or unset PREFECT_API_URL to run with an embedded one."
        ) from error


def _start(folder: Path) -> tuple[subprocess.Popen, int]:
    """Return a server that answers, and its port."""
    port = _free_port()
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *_SERVER, "--port", str(port), "--log-level", "error"],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return process, port
        time.sleep(0.05)
    code = process.poll()
    process.kill()
    process.wait()
    lines = log.read_text(errors="replace").strip().splitlines()
    how = f"did not answer in {START_SECONDS:.0f} s" if code is None else f"ended with code {code}"
    raise ServerError(
        f"Prefect's embedded server {how}: {lines[-1] if lines else 'it wrote nothing'} (all of "
        f"it: {log}). Start one with `prefect server start` and name it in PREFECT_API_URL."
    )


def _environment() -> dict[str, str]:
    return (
        dict(os.environ)
        | get_current_settings().to_environment_variables(exclude_unset=True)
        | {
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_UI_ENABLED": "false",
            "PREFECT__SERVER_EPHEMERAL": "1",  # without the services that only schedules need
            "PREFECT__SERVER_FINAL": "1",
        }
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port: int) -> bool:
    with suppress(OSError):
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://127.0.0.1:{port}/api/health", timeout=5) as answer:
            return answer.status == 200
    return False


def bypass_proxies() -> None:
    """Keep requests to this machine away from a proxy that the environment names."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if "127.0.0.1" not in hosts:
            os.environ[name] = ",".join([*hosts, "127.0.0.1", "localhost"])
