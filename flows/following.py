"""A training attended to: its events go to MLflow and to whoever listens, and its end is told."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from mlflow.tracking import MlflowClient
from prefect.logging import get_run_logger

from flows.distant_workers import DistantWorkers
from flows.figures import brief
from flows.run_folder import RunFolder
from flows.run_pages import is_being_cancelled
from flows.supervisor import Worker
from flows.tracking import Tracker
from flows.tracking_store import end_run, one_line, read_state

SYNC_SECONDS = 1.0  # between two looks of MLflow at the journal


def follow(
    worker: Worker | DistantWorkers,
    tracker: Tracker,
    listeners: Sequence[Callable[[dict], None]],
) -> None:
    """Follow a worker to the end of its training.

    Args:
        worker: started, or taken over.
        tracker: copies the journal to MLflow as it grows.
        listeners: get each event, and {"kind": "restarted", "restarts"} where the worker died.
    """
    logger = get_run_logger()
    next_sync, restarts = 0.0, 0
    for event in worker.follow():
        if event is not None:
            _tell(listeners, event)
            if event["kind"] == "evaluation":
                logger.info("epoch %d: %s", event["epoch"], brief(event["metrics"], "val/"))
        if time.monotonic() >= next_sync:
            tracker.sync()
            next_sync = time.monotonic() + SYNC_SECONDS
        if worker.restarts > restarts:
            restarts = worker.restarts
            logger.warning("the worker died and was started again (%d)", restarts)
            _tell(listeners, {"kind": "restarted", "restarts": restarts})


@contextmanager
def ended_on_failure(
    folder: RunFolder, uri: str, then: Callable[[RunFolder, str], None] | None = None
) -> Iterator[None]:
    """Leave no run RUNNING behind a failure or an interruption; `then` is told of it."""
    try:
        yield
    except BaseException as error:
        with undisturbed():
            _end_run(folder, uri, error)
            if then is not None:
                then(folder, uri)
        raise


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let SIGTERM wait: a Prefect worker that is stopped sends it to its runs more than once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_run(folder: RunFolder, uri: str, error: BaseException) -> None:
    status, reason = "FAILED", one_line(error)
    if not isinstance(error, Exception):
        status = "KILLED"
        reason = "cancelled in Prefect" if is_being_cancelled() else reason
    with suppress(Exception):  # a store that is away: the next start ends the run
        run_id = read_state(folder)["run_id"]
        end_run(MlflowClient(tracking_uri=uri), run_id, status, reason)


def _tell(listeners: Sequence[Callable[[dict], None]], event: dict) -> None:
    for listener in listeners:
        listener(event)
