"""Many trainings of one piece of work: a sweep's trials, the folds of a cross-validation.

A *member* is one of them. Its worker process runs on the node that Ray chose, watched by a Prefect
task there; here its journal is followed, in the folder that all nodes see, into an MLflow run of
its own below the parent's. So one process alone writes to MLflow and to the study, and whatever is
killed, the journals and checkpoints are what the next start goes on from.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.config import Config
from flows.fan_out import Engine, result_of, share_processors
from flows.following import SYNC_SECONDS, undisturbed
from flows.journal import JournalReader
from flows.origin import origin_tags
from flows.provenance import machine
from flows.registered import provide_champion
from flows.run_folder import RunFolder, write_config
from flows.runtime import UserError
from flows.supervisor import Worker
from flows.tracking import Tracker
from flows.tracking_store import end_run, one_line
from flows.whole_files import write_whole

if TYPE_CHECKING:
    from prefect_ray.task_runners import PrefectRayFuture

_STOP = "stop"  # the file that ends a member's worker, wherever that runs
_PRUNED, _INTERRUPTED = "pruned", "interrupted"
_LEAVE_SECONDS = 40.0  # that interrupted members have to stop their workers


@task(name="train member", task_run_name="{name}", cache_policy=NO_CACHE)
def train_member(name: str, run_dir: str, backend: str, processes: int) -> bool:
    """Have a worker train to the end, on the node where this runs.

    Args:
        name: the member's.
        run_dir: its folder.
        backend: the worker's.
        processes: so many train together.

    Returns: False where the member was stopped before its end.

    Raises:
        UserError: the folder is not to be seen here, or the worker found the user's mistake.
        WorkerError: the worker died again and again.
    """
    folder = RunFolder(run_dir)
    if not folder.config.exists():
        raise UserError(
            f"{run_dir}: not to be seen on node {machine()['host']}; "
            "all nodes must share the folder of the runs"
        )
    share_processors()
    worker = Worker(folder, backend=backend, processes=processes)
    stop = folder.path / _STOP
    try:
        if stop.exists():
            return False
        for _ in worker.follow():
            if stop.exists():
                return False
    finally:
        worker.stop()
    return True


class Member:
    """One training, seen from where the work is directed.

    Args:
        number: of the member.
        config: resolved.
        folder: made where missing, and held.
        parent: the folder of the whole.
        home: the home that it belongs to.
        uri: MLflow's store.
        parent_run: the MLflow run of the whole.
        tags: further tags of the run.
    """

    def __init__(
        self,
        number: int,
        config: Config,
        folder: RunFolder,
        *,
        parent: RunFolder,
        home: Path,
        uri: str,
        parent_run: str,
        tags: dict[str, str],
    ):
        self.number, self.config, self.folder = number, config, folder
        self.figures: dict[int, dict[str, float]] = {}  # epoch -> what its evaluation found
        folder.path.mkdir(exist_ok=True)
        self._lock = FileLock(folder.controller_lock)
        self._lock.acquire()
        write_config(folder, config)
        self._stop = folder.path / _STOP
        if self._stop.exists() and self._stop.read_text() == _INTERRUPTED:
            self._stop.unlink()
        self.tracker = Tracker(
            folder,
            home=home,
            uri=uri,
            experiment=config.name,
            parameters=config.model_dump(mode="json"),
            tags={
                MLFLOW_PARENT_RUN_ID: parent_run,
                "zoo_folder": str(folder.path.relative_to(parent.path.parent)),
                **origin_tags(config),
                **tags,
            },
        )
        provide_champion(config, folder.champion, home)
        self._reader = JournalReader(folder.journal)
        self._next_sync = 0.0
        self.future: PrefectRayFuture | None = None

    @property
    def run_id(self) -> str:
        """The MLflow run."""
        return self.tracker.run_id

    @property
    def was_pruned(self) -> bool:
        """Whether it was stopped for good."""
        return self._stop.exists() and self._stop.read_text() == _PRUNED

    def start(self, engine: Engine) -> None:
        """Send it to a node."""
        self.future = engine.submit(
            train_member,
            name=f"{self.folder.path.parent.name}/{self.folder.name}",
            run_dir=str(self.folder.path),
            backend=self.config.backend,
            processes=self.config.distribution.workers,
        )

    def poll(self) -> list[dict]:
        """Return the journal's new events, and copy them to MLflow now and then."""
        events = self._reader.poll()
        for event in events:
            if event["kind"] == "evaluation":
                self.figures[event["epoch"]] = event["metrics"]
        if time.monotonic() >= self._next_sync:
            self.tracker.sync()
            self._next_sync = time.monotonic() + SYNC_SECONDS
        return events

    def prune(self) -> None:
        """Have its worker stopped for good."""
        self._write_stop(_PRUNED)

    def interrupt(self) -> None:
        """Have its worker stopped for now."""
        if not self._stop.exists():
            self._write_stop(_INTERRUPTED)

    def end(self, status: str, reason: str = "", **tags: str) -> None:
        """Bring its MLflow run to the journal's end, end it, and let the folder go."""
        self.tracker.catch_up()
        client = MlflowClient()
        for key, value in tags.items():
            client.set_tag(self.run_id, key, value)
        end_run(client, self.run_id, status, reason)
        self._lock.release()

    def leave(self, reason: str) -> None:
        """End its run as interrupted, if the store is there, and let the folder go."""
        with suppress(Exception):  # a store that is away: the next start ends the run
            self.tracker.sync()
            end_run(MlflowClient(), self.run_id, "KILLED", reason)
        self._lock.release()

    def _write_stop(self, why: str) -> None:
        write_whole(self._stop, why)


def train_members(
    engine: Engine,
    next_member: Callable[[], Member | None],
    on_event: Callable[[Member, dict], None],
    on_end: Callable[[Member, BaseException | None], None],
) -> None:
    """Train members, as many at once as the engine has slots, until there is none left.

    Args:
        engine: where.
        next_member: called where there is room; None: no further one.
        on_event: gets each event of a member's journal, in order.
        on_end: gets a member whose task has ended, with what it raised; it ends the member.
    """
    running: list[Member] = []
    try:
        while True:
            while len(running) < engine.slots and (member := next_member()) is not None:
                running.append(member)
                member.start(engine)
            if not running:
                return
            ended = engine.ended([one.future for one in running if one.future is not None])
            for member in list(running):
                for event in member.poll():
                    on_event(member, event)
                if member.future in ended:
                    on_end(member, _failure(member))
                    running.remove(member)
    except BaseException as error:
        with undisturbed():
            _interrupt(engine, running, one_line(error))
        raise


def _failure(member: Member) -> BaseException | None:
    assert member.future is not None
    try:
        result_of(member.future)
    except Exception as error:  # its own, or that of a node that was lost too often
        return error
    return None


def _interrupt(engine: Engine, members: list[Member], reason: str) -> None:
    """Stop the workers of members that are under way; the next start resumes them."""
    for member in members:
        member.interrupt()
    left = [member.future for member in members if member.future is not None]
    engine.wait_until(lambda: len(engine.ended(left)) == len(left), _LEAVE_SECONDS)
    for member in members:
        member.leave(reason)
