"""The tracking store: where MLflow's runs are, made ready, asked, and cleared of orphans.

Words: the *store* is MLflow's server or database; a *home* is the folder (`mlruns`) with the run
folders and, where no server is named, the store's database and artifacts; an *orphan* is a run that
says RUNNING though nobody is at work on it any more.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.entities import Run
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from requests.exceptions import RequestException

from flows.run_folder import RunFolder, home_id, is_held
from flows.runtime import UserError

_REFUSALS = frozenset(
    {
        "INVALID_PARAMETER_VALUE",
        "PERMISSION_DENIED",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
        "UNAUTHENTICATED",
    }
)


class TrackingError(RuntimeError):
    """The store refuses, or does not answer; the run folder has everything it should have."""


def default_tracking_uri(home: Path) -> str:
    """Return MLFLOW_TRACKING_URI where it is set, else the database in `home`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home.absolute()}/mlflow.db"


@contextmanager
def open_store(home: Path) -> Iterator[str]:
    """Make the store ready, point MLflow at it for a while, and yield its URI."""
    home.mkdir(parents=True, exist_ok=True)
    uri = default_tracking_uri(home)
    named, before = os.environ.get("MLFLOW_TRACKING_URI"), mlflow.get_tracking_uri()
    with _quiet():
        if _is_database(uri):
            _migrate(uri, home)
        mlflow.set_tracking_uri(uri)  # which sets the variable too, for child processes
        try:
            yield uri
        finally:
            mlflow.set_tracking_uri(before)
            if named is None:
                os.environ.pop("MLFLOW_TRACKING_URI", None)
            else:
                os.environ["MLFLOW_TRACKING_URI"] = named


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Turn whatever a store that is away raises into a TrackingError of one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise TrackingError(
            f"the MLflow tracking store {uri} does not answer: {one_line(error)}. "
            "Start it, or unset MLFLOW_TRACKING_URI to keep runs in the home folder."
        ) from error


def experiment_id(client: MlflowClient, name: str, home: Path) -> str:
    """Return the experiment of that name, made or brought back where needed."""
    known = client.get_experiment_by_name(name)
    if known is None:
        location = (_artifact_root(home) / name).as_uri()
        try:
            return client.create_experiment(
                name, artifact_location=location if _is_database(client.tracking_uri) else None
            )
        except MlflowException:  # another process was quicker
            known = client.get_experiment_by_name(name)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return known.experiment_id


def search_runs(client: MlflowClient, query: str) -> list[Run]:
    """Return the runs of every experiment that the query finds."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, query, max_results=1000))


def end_run(client: MlflowClient, run_id: str, status: str, reason: str = "") -> None:
    """End a run as FINISHED, FAILED or KILLED, and say why in the tag `zoo_reason`."""
    client.set_tag(run_id, "zoo_reason", reason[:5000])
    client.set_terminated(run_id, status)


def close_orphans(home: Path, uri: str) -> list[str]:
    """End the orphans of this home as KILLED, the tag `zoo_reason` saying why.

    A run whose folder the caller holds is not among them.

    Returns: the ids of the runs that were ended.

    Raises:
        TrackingError: the store does not answer.
    """
    client = MlflowClient(tracking_uri=uri)
    ended = []
    with answering(uri):
        running = f"attributes.status = 'RUNNING' and tags.zoo_home = '{home_id(home)}'"
        for run in search_runs(client, running):
            folder = RunFolder(home / "runs" / run.data.tags["zoo_folder"])
            if _is_followed(run, folder) or not _is_running(client, run):
                continue
            reason = "its controller is gone"
            if is_held(folder.worker_lock):
                reason += "; its worker still computes, and the same command takes it over"
            end_run(client, run.info.run_id, "KILLED", reason)
            ended.append(run.info.run_id)
    return ended


def read_state(folder: RunFolder) -> dict:
    """Return what the folder remembers of its copy in the store; empty where nothing as yet."""
    try:
        return json.loads(folder.tracking.read_text())
    except (OSError, ValueError):
        return {}


def is_passing(error: BaseException | None) -> bool:
    """Return whether waiting may cure an error: the store is away or busy, it does not refuse."""
    if isinstance(error, MlflowException):
        return error.error_code not in _REFUSALS
    return isinstance(error, ConnectionError | TimeoutError | RequestException)


def one_line(error: BaseException | None) -> str:
    """Return an error's message in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _migrate(uri: str, home: Path) -> None:
    """Create or upgrade a database, one process at a time: four at once would leave it broken."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with FileLock(home / "mlflow.lock"):
        SqlAlchemyStore(uri, _artifact_root(home).as_uri())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's news off stderr (tables made, files copied) and off stdout (links to runs)."""
    logger = logging.getLogger("mlflow")
    level, bars = logger.level, MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.get()
    silent = MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get()
    logger.setLevel(logging.WARNING)
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
    try:
        yield
    finally:
        logger.setLevel(level)
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(bars)
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(silent)


def _is_followed(run: Run, folder: RunFolder) -> bool:
    """Return whether a living controller holds the folder, and for this run, not a later one."""
    same = read_state(folder).get("token") == run.data.tags.get("zoo_token")
    return same and is_held(folder.controller_lock)


def _is_running(client: MlflowClient, run: Run) -> bool:
    """Ask again: a controller ends its run before it lets its folder go, so a free folder's run
    that was RUNNING in the search may have ended well since."""
    return client.get_run(run.info.run_id).info.status == "RUNNING"


def _is_database(uri: str) -> bool:
    return uri.startswith("sqlite:")


def _artifact_root(home: Path) -> Path:
    return home.absolute() / "artifacts"
