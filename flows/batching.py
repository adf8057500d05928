"""A batch prediction at work: what is missing goes to Ray in shards, then all is merged.

`<out>/` holds predictions.json (COCO results), images.json (its tables), predictions.parquet,
rejected.json (what could not be answered, with the reason), summary.json, and
`shards/<recipe>/`, a file a shard. The same command asks only for what no shard holds.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from flows.fan_out import Engine, Resources, open_engine, result_of
from flows.runtime import UserError
from flows.shard_results import merge
from flows.shard_task import predict_shard
from flows.shards import Shard, cut, find_done, list_pictures, recipe
from flows.tracking_store import one_line
from flows.whole_files import write_json, write_whole
from flows.worker_process import WorkerError

if TYPE_CHECKING:
    from prefect_ray.task_runners import PrefectRayFuture

AHEAD = 2  # shards a slot that are sent ahead, so that no node waits for the next one
Progress = Callable[[dict], None]
progress: ContextVar[Progress] = ContextVar("progress", default=lambda event: None)


def predict_pictures(
    model: Path,
    sources: list[str],
    out: Path,
    *,
    shard_size: int,
    min_score: float,
    backend: str,
    resources: Resources,
    most: int | None,
    address: str | None,
    retry_rejected: bool,
) -> dict[str, Any]:
    """Answer the pictures that are not answered yet and write the results of all.

    Returns: the summary: how many pictures, rejected and rows; how many were answered now, in which
        time.

    Raises:
        UserError: a source names nothing, the model cannot be used, or another process is at work.
        WorkerError: shards failed; the others are kept, and the same call goes on.
    """
    pictures = list_pictures(sources, out)
    made = recipe(model, min_score)
    kept = out / "shards" / made
    kept.mkdir(parents=True, exist_ok=True)
    with _held(out):
        done = find_done(kept, but_rejected=retry_rejected)
        missing = [picture for picture in pictures if picture.key not in done]
        if retry_rejected:
            _forget(kept, {picture.key for picture in missing})
        shards = cut(missing, shard_size, made)
        work = Shards(shards, kept, len(pictures), len(pictures) - len(missing))
        if shards:
            progress.get()({"kind": "station", "name": "starting Ray"})
            asked = {"model": str(model), "min_score": min_score, "backend": backend}
            with open_engine(address, resources, most) as engine:
                work.answer(engine, asked)
        progress.get()({"kind": "station", "name": "merging"})
        summary = {"out": str(out), **merge(pictures, find_done(kept), out), **work.told()}
        write_json(out / "summary.json", summary)
    return summary


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Hold the folder of results: two at work there would answer everything twice."""
    lock = FileLock(out / "controller.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"--out {out}: another process is at work there") from None
    try:
        yield
    finally:
        lock.release()


class Shards:
    """The shards while they are answered.

    Args:
        shards: what is missing.
        folder: for their files.
        total: pictures in all.
        done: pictures that earlier calls have answered.
    """

    def __init__(self, shards: list[Shard], folder: Path, total: int, done: int):
        self._left, self._folder = list(reversed(shards)), folder
        self._total, self._before, self._now = total, done, 0
        self._began = self._ended = time.monotonic()
        self._failures: list[BaseException] = []

    def answer(self, engine: Engine, asked: dict[str, Any]) -> None:
        """Have all shards answered, some sent ahead of the slots there are."""
        running: dict[PrefectRayFuture, Shard] = {}
        self._began = time.monotonic()
        self._tell(engine)
        while self._left or running:
            while self._left and len(running) < AHEAD * engine.slots:
                shard = self._left.pop()
                running[self._send(engine, shard, asked)] = shard
            for future in engine.ended(list(running)):
                self._take(running.pop(future), future)
                self._tell(engine)
        if self._failures:
            raise WorkerError(
                f"{len(self._failures)} shards failed: {one_line(self._failures[-1])} "
                "(the others are kept; the same command goes on)",
                getattr(self._failures[-1], "log", ""),
            )

    def told(self) -> dict[str, float]:
        """Return how many pictures were answered now, in how many seconds."""
        seconds = max(0.0, self._ended - self._began)
        rate = self._now / seconds if self._now else 0.0
        return {"answered": self._now, "seconds": seconds, "pictures_per_second": rate}

    def _send(self, engine: Engine, shard: Shard, asked: dict[str, Any]) -> "PrefectRayFuture":
        todo = self._folder / f"{shard.name}.todo"
        write_json(todo, [[one.key, one.path] for one in shard.pictures])
        out = self._folder / f"{shard.name}.jsonl"
        files = {"todo": str(todo), "out": str(out), "folder": str(Path.cwd())}
        return engine.submit(predict_shard, name=shard.name, **files, **asked)

    def _take(self, shard: Shard, future: "PrefectRayFuture") -> None:
        try:
            result_of(future)
        except UserError:
            raise
        except Exception as error:  # its own, or that of a node that was lost too often
            self._failures.append(error)
            return
        (self._folder / f"{shard.name}.todo").unlink(missing_ok=True)
        self._now += len(shard.pictures)
        self._ended = time.monotonic()

    def _tell(self, engine: Engine) -> None:
        done = {"done": self._before + self._now, "total": self._total, "slots": engine.slots}
        rate = self.told()["pictures_per_second"]
        progress.get()({"kind": "answered", "pictures_per_second": rate, **done})


def _forget(folder: Path, keys: set[str]) -> None:
    """Take what is to be answered again out of the files of shards."""
    for file in folder.glob("*.jsonl"):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        kept = [line for line in lines if line.get("key") not in keys]
        if len(kept) == len(lines):
            continue
        lines_kept = "".join(f"{json.dumps(line)}\n" for line in kept)
        write_whole(file.with_name(f"{file.stem}-kept.jsonl"), lines_kept)
        file.unlink()
