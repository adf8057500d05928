"""`zoo up`: a Prefect server, an MLflow server and a Prefect worker here, with the deployments.

Everything listens on 127.0.0.1 and keeps its data in the home: `prefect/` and `mlflow.db`, which
`zoo train` uses as well, and `logs/`. A service that dies is started again, unless it keeps dying.
They end with this process, the worker first, so that an interrupted training can still say so to
the servers.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from flows.console import note
from flows.deployments import QUEUE
from flows.embedded import bypass_proxies
from flows.runtime import UserError, controller_environment
from flows.services import (
    Service,
    ServiceError,
    answers_at,
    require_free_port,
    require_writable,
)

HEARTBEAT_SECONDS = 30  # of a flow run; the shortest that Prefect sends
_LOOK_SECONDS = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORKER_PATIENCE = 25.0  # to stop a training and tell MLflow
# Of the servers' lines; `consume_loop` complains of a busy database and then tries again.
_ALARMING = re.compile(r"^(?!.*Failed in consume_loop).*\| (ERROR|CRITICAL) +\|")
_DEATHS = 4  # of one service within the time below: it would die again
_DEATHS_SECONDS = 600.0


@dataclass(frozen=True)
class Place:
    """Where things are.

    Args:
        home: the folder of runs, databases and logs.
        prefect_port, mlflow_port: of 127.0.0.1.
        pool: the work pool.
        prefect_file: the deployments.
    """

    home: Path
    prefect_port: int
    mlflow_port: int
    pool: str
    prefect_file: Path

    @property
    def prefect(self) -> str:
        """Prefect's page."""
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def mlflow(self) -> str:
        """MLflow's page."""
        return f"http://127.0.0.1:{self.mlflow_port}"

    def environment(self) -> dict[str, str]:
        """Return the environment of everything that runs here."""
        return (
            controller_environment()
            | dict(os.environ)
            | {
                "PREFECT_API_URL": f"{self.prefect}/api",
                "PREFECT_HOME": str(self.home / "prefect"),
                "PREFECT_PROFILES_PATH": str(self.home / "prefect" / "profiles.toml"),
                "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
                "PREFECT_WORKER_QUERY_SECONDS": "2",  # it is our own server that is asked
                "PREFECT_SERVER_DATABASE_TIMEOUT": "60",  # `zoo train` may write to it as well
                "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "MLFLOW_TRACKING_URI": self.mlflow,
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "ZOO_HOME": str(self.home),
                "PYTHONUNBUFFERED": "1",
                "COLUMNS": "1000",  # a log line is a line
                "NO_COLOR": "1",
            }
        )


def up(place: Place) -> None:
    """Start everything, say where it is, and follow it until an interrupt or SIGTERM.

    Raises:
        UserError: a port is taken, the home cannot be written to, the deployments are refused.
        ServiceError: a service did not start, or died over and over.
    """
    require_writable(place.home)
    require_free_port(place.prefect_port, "--prefect-port")
    require_free_port(place.mlflow_port, "--mlflow-port")
    bypass_proxies()
    with _only_one(place.home), _sigterm_interrupts(), ExitStack() as stack:
        logs = place.home / "logs"
        logs.mkdir(exist_ok=True)
        (place.home / "prefect").mkdir(exist_ok=True)
        try:
            services = _start(place, logs, stack)
            _tell(place)
            _follow(services)
        except KeyboardInterrupt:
            note("stopping")
        except ServiceError as error:
            note(error.log)
            raise
        finally:
            for number in _SIGNALS:  # it is being done
                signal.signal(number, signal.SIG_IGN)


def _start(place: Place, logs: Path, stack: ExitStack) -> list[Service]:
    environment = place.environment()

    def start(name: str, command: list[str], **options) -> Service:
        service = Service(
            name, command, environment=environment, log=logs / f"{name}.log", **options
        )
        stack.callback(service.stop)
        return service

    note(f"starting Prefect and MLflow (logs: {logs})")
    with FileLock(place.home / "prefect" / "server.lock"), FileLock(place.home / "mlflow.lock"):
        servers = [
            start("mlflow", _mlflow(place), answers=answers_at(f"{place.mlflow}/health")),
            start("prefect", _prefect(place), answers=answers_at(f"{place.prefect}/api/health")),
        ]
        for server in servers:  # one process at a time migrates a fresh database
            server.wait_until_ready()
    note(f"applying {place.prefect_file}")
    _apply(place, environment)
    worker = start("worker", _worker(place), patience=_WORKER_PATIENCE, survived=True)
    return [*servers, worker]


def _prefect(place: Place) -> list[str]:
    app = "prefect.server.api.server:create_app"
    options = ["--host", "127.0.0.1", "--port", str(place.prefect_port), "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "--factory", app, *options]


def _mlflow(place: Place) -> list[str]:
    """Name artifacts by their path, not by this server: `zoo train` finds them without it."""
    options = ["--host", "127.0.0.1", "--port", str(place.mlflow_port), "--workers", "1"]
    options += ["--backend-store-uri", f"sqlite:///{place.home}/mlflow.db"]
    options += ["--default-artifact-root", (place.home / "artifacts").as_uri()]
    return [sys.executable, "-m", "mlflow", "server", *options, "--no-serve-artifacts"]


def _worker(place: Place) -> list[str]:
    options = ["--pool", place.pool, "--type", "process", "--work-queue", QUEUE]
    options += ["--name", socket.gethostname(), "--install-policy", "never"]
    return [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start", *options]


def _apply(place: Place, environment: dict[str, str]) -> None:
    """Run `zoo deploy` in a process of its own, which has the servers' addresses from the start."""
    command = [sys.executable, "-P", "-m", "flows.cli", "deploy", "--pool", place.pool]
    done = subprocess.run(
        [*command, "--prefect-file", str(place.prefect_file)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise UserError(done.stderr.strip().removeprefix("error: "))
    print(done.stdout, end="")


def _tell(place: Place) -> None:
    print(f"Prefect   {place.prefect}")
    print(f"MLflow    {place.mlflow}")
    print(f"home      {place.home}")
    print(f"run one   PREFECT_API_URL={place.prefect}/api prefect deployment run train/smoke")
    print("stop      ctrl-C", flush=True)


def _follow(services: list[Service]) -> None:
    """Show what the worker writes, and what alarms the servers; start again what dies."""
    deaths: dict[str, list[float]] = {service.name: [] for service in services}
    while True:
        for service in services:
            for line in service.new_lines():
                if line.strip() and (service.name == "worker" or _ALARMING.search(line)):
                    print(f"{service.name:<8}  {line.rstrip()}", flush=True)
            try:
                service.check()
            except ServiceError as error:
                _start_again(service, error, deaths[service.name])
        time.sleep(_LOOK_SECONDS)


def _start_again(service: Service, error: ServiceError, deaths: list[float]) -> None:
    """Start a dead service again; raise its end where it died too often of late."""
    now = time.monotonic()
    deaths[:] = [then for then in deaths if now - then < _DEATHS_SECONDS] + [now]
    if len(deaths) >= _DEATHS:
        raise error
    note(f"{error}; starting it again")
    service.start_again()


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    lock = FileLock(home / "up.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{home}: another `zoo up` runs on it; stop that one, or take --home"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM do what ctrl-C does, and ctrl-C work in the background as well."""
    before = [signal.signal(number, signal.default_int_handler) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
