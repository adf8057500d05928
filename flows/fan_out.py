"""Much of the same work at once: Prefect tasks on Ray, and a lost node's once more.

Ray is started on this machine for as long as it is needed, on 127.0.0.1 alone, or joined where an
address names a cluster. A task is sent to a node that has the processors it asks for; a node that
is lost takes its tasks with it, and Ray sends those to another one, `MAX_RETRIES` times each. Ray
keeps processes and gives them the next task; so a task computes nothing itself, it starts a process
on its backend and waits for it.

Words: an *engine* is Ray with what each task asks of it; a *slot* is room for one task.

A flow that uses an engine is pickled with every task: what its body names must be modules,
functions or classes of modules that a node can import.
"""

import importlib.util
import io
import ipaddress
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from flows.config_sections import Section
from flows.runtime import UserError

if TYPE_CHECKING:
    from prefect_ray import RayTaskRunner
    from prefect_ray.task_runners import PrefectRayFuture

MAX_RETRIES = 5  # of a task whose node or process is lost
POLL_SECONDS = 0.2
_OBJECT_STORE = 80 * 2**20  # bytes; results are words, and 75 MiB the least that Ray takes
_ANSWER_SECONDS = 10.0  # that a cluster has to take a connection


class Resources(Section):
    """What a task asks of a node: it is sent where so much is free, and sees so many GPUs."""

    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] = 0.0


class Engine:
    """Ray, with what each task asks of it.

    Args:
        runner: connected.
        resources: of each task.
        most: tasks at once; None: as many as the nodes have room for.
    """

    def __init__(self, runner: "RayTaskRunner", resources: Resources, most: int | None = None):
        self._runner, self._resources = runner, resources
        self.slots = min(_room(_nodes(), resources), most or 2**31)

    def submit(self, task: Any, **parameters) -> "PrefectRayFuture":
        """Send a Prefect task to a node; what it takes and returns is plain data."""
        from prefect_ray.context import remote_options

        asked = {"num_cpus": self._resources.cpus, "num_gpus": self._resources.gpus}
        with remote_options(**asked, max_retries=MAX_RETRIES):
            return self._runner.submit(task, parameters)

    def ended(self, futures: Sequence["PrefectRayFuture"]) -> list["PrefectRayFuture"]:
        """Return those whose task has ended, however; waits a moment where none has."""
        import ray

        if not futures:
            return []
        sent = [future.wrapped_future for future in futures]
        done, _ = ray.wait(sent, num_returns=1, timeout=POLL_SECONDS)
        if done:  # and whichever else
            done, _ = ray.wait(sent, num_returns=len(sent), timeout=0)
        ended = set(done)
        return [future for future in futures if future.wrapped_future in ended]

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; False where the time is over before."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def result_of(future: "PrefectRayFuture") -> Any:
    """Return what an ended task returned, or raise what it raised or what became of its node."""
    future.wait()
    return future.state.result()


def share_processors() -> None:
    """Let what this task starts compute with so many threads as the task asked for processors.

    Ray tells OpenMP so, and with it PyTorch; TensorFlow takes a thread a core unless it is told.
    """
    if threads := os.environ.get("OMP_NUM_THREADS"):
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", threads)


def require_ray() -> None:
    """Raise UserError unless the extra `ray` is installed."""
    missing = [
        name for name in ("ray", "prefect_ray", "optuna") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise UserError(
            f"sweeps, cross-validation and batch prediction need {', '.join(missing)}; "
            "pip install 'keras-vision-zoo[ray]'"
        )


@contextmanager
def open_engine(
    address: str | None, resources: Resources, most: int | None = None
) -> Iterator[Engine]:
    """Start or join Ray, yield the engine, and end what was started.

    Args:
        address: of a cluster, HOST:PORT or ray://HOST:PORT; auto: the one that `ray start` started
            on this machine; None: what RAY_ADDRESS names, else one of our own.
        resources: of each task.
        most: tasks at once; None: as many as the nodes have room for.

    Raises:
        UserError: nobody answers at the address, no node has what a task asks for, or the nodes
            cannot reach Prefect's server.
    """
    require_ray()
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with (
        redirect_stdout(_Aside()),
        _folder(address) as options,
        _connected(_runner(address, options), address) as runner,
    ):
        _require_server(_nodes())
        yield Engine(runner, resources, most)


class _Aside(io.TextIOBase):
    """Where Ray's threads print of a lost node: stderr, without the logs that follow a message."""

    def __init__(self) -> None:
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = f"{self._line}{text}".split("\n")
        for line in lines:
            if line.strip() and not line[0].isspace():
                print(line, file=sys.stderr)
        return len(text)


@contextmanager
def _folder(address: str) -> Iterator[dict[str, Any]]:
    """Yield how to start Ray; its logs and sockets go when it goes. Nothing for a cluster."""
    if address != "local":
        yield {}
        return
    # Read when Ray is imported. Ray listens on 127.0.0.1 alone only where it takes itself for
    # unable to have other nodes, as on macOS; elsewhere on every interface.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    folder = tempfile.mkdtemp(prefix="zoo-ray-")  # short: a socket's path has 107 characters
    try:
        yield {
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE,
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runner(address: str, options: dict[str, Any]) -> "RayTaskRunner":
    from prefect_ray import RayTaskRunner

    # By `address` alone the runner takes `auto` for a cluster of its own, and without one it joins
    # whatever was started on this machine.
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    return RayTaskRunner(init_kwargs={"address": address, **quiet, **options})


@contextmanager
def _connected(runner: "RayTaskRunner", address: str) -> Iterator["RayTaskRunner"]:
    if address not in ("local", "auto"):
        _require_answer(address)
    try:
        runner.__enter__()
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--address {address}: no Ray cluster to join: {reason}") from error
    try:
        yield runner
    finally:
        runner.__exit__(None, None, None)


def _require_answer(address: str) -> None:
    """Raise UserError unless somebody listens; Ray itself tries for minutes, and then exits."""
    plain = address if "://" in address else f"ray://{address}"
    try:
        place = urlsplit(plain)
        if not (place.hostname and place.port):
            raise ValueError("expected auto, HOST:PORT or ray://HOST:PORT")
        socket.create_connection((place.hostname, place.port), _ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"--address {address}: no Ray cluster to join: {error}. Start one with `ray start "
            "--head`, or leave --address out to have one of your own."
        ) from error


def _nodes() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _room(nodes: Sequence[dict[str, Any]], resources: Resources) -> int:
    """Return how many tasks the nodes can have at once.

    Raises:
        UserError: no node has room for one: Ray would wait for such a node for ever.
    """
    asked = {"CPU": resources.cpus, "GPU": resources.gpus}
    asked = {name: count for name, count in asked.items() if count}
    rooms = [
        min(int(node["Resources"].get(name, 0.0) / count) for name, count in asked.items())
        for node in nodes
    ]
    if not any(rooms):
        has = "; ".join(
            ", ".join(f"{node['Resources'].get(name, 0.0):g} {name}" for name in asked)
            for node in nodes
        )
        wanted = " and ".join(f"{count:g} {name}" for name, count in asked.items())
        raise UserError(f"a task asks for {wanted}, which no node has; the nodes have {has}")
    return sum(rooms)


def _require_server(nodes: Sequence[dict[str, Any]]) -> None:
    """Raise UserError where nodes elsewhere are to reach a Prefect server on this machine's
    loopback."""
    from prefect.settings import PREFECT_API_URL

    server = urlsplit(PREFECT_API_URL.value() or "").hostname or "127.0.0.1"
    away = sorted({node["NodeManagerAddress"] for node in nodes} - _own_addresses())
    if away and _is_loopback(server):
        raise UserError(
            f"the nodes at {', '.join(away[:3])} cannot reach Prefect's server at {server}; start "
            "one that they can reach, `prefect server start --host 0.0.0.0`, and name it in "
            "PREFECT_API_URL"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _own_addresses() -> set[str]:
    import psutil

    found = psutil.net_if_addrs().values()
    loopback = {f"127.0.0.{number}" for number in range(1, 255)}
    return {one.address for addresses in found for one in addresses} | loopback
