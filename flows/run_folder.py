"""The folder of a run: everything of it on this disk, and who may write there.

`<home>/runs/<name>-<config_hash>[-N]/` holds

    config.yaml      the resolved configuration        worker.log     what the worker printed
    journal.jsonl    what the worker did               checkpoint/    where it resumes
    model.keras      the published model               samples/       pictures with detections
    scores.json      the re-scoring elsewhere          tracking.json  how far the tracking store is
    summary.json     the end of the story              *.lock         held while somebody is at work

The operating system frees a lock when its holder dies, however it dies; so a held lock means a
living process, and a free one means that the run may be taken over.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from flows.config import Config, config_hash, dump_config


class RunFolder:
    """The paths of one run.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.config = self.path / "config.yaml"
        self.journal = self.path / "journal.jsonl"
        self.model = self.path / "model.keras"
        self.scores = self.path / "scores.json"
        self.summary = self.path / "summary.json"
        self.tracking = self.path / "tracking.json"
        self.worker_log = self.path / "worker.log"
        self.worker_lock = self.path / "worker.lock"
        self.worker_pid = self.path / "worker.pid"
        self.controller_lock = self.path / "controller.lock"

    @property
    def name(self) -> str:
        """The folder's own name, which is the run's."""
        return self.path.name


def is_held(lock: Path) -> bool:
    """Return whether a living process holds the lock."""
    if not lock.exists():
        return False
    taken = _try_lock(lock)
    if taken is not None:
        taken.release()
    return taken is None


@contextmanager
def claim_folder(config: Config, home: Path, *, again: bool) -> Iterator[RunFolder]:
    """Choose the folder of a configuration's run and hold it while its controller works.

    The newest folder of this configuration that is free: an interrupted run is continued, a
    finished one is looked at again. A new folder where there is none, where others are at work in
    all of them, or with `again`.

    Args:
        config: resolved; it is written to the folder.
        home: where `runs/` is.
        again: take a new folder in any case.
    """
    runs = home / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "runs.lock"):
        folder, lock = _choose(runs, f"{config.name}-{config_hash(config)}", again=again)
        _write_config(folder, config)
    try:
        yield folder
    finally:
        lock.release()


def home_id(home: Path) -> str:
    """Return the identity of a home, by which its runs are known in a store that many share."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "home.id"
    with FileLock(home / "runs.lock"):
        if not file.exists():
            file.write_text(uuid.uuid4().hex)
        return file.read_text()


def _write_config(folder: RunFolder, config: Config) -> None:
    """Write the configuration; where another gate is wished, the end of the story is open again."""
    text = dump_config(config)
    if folder.config.exists() and folder.config.read_text(encoding="utf-8") != text:
        folder.summary.unlink(missing_ok=True)
    part = folder.config.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(folder.config)


def _choose(runs: Path, stem: str, *, again: bool) -> tuple[RunFolder, FileLock]:
    numbered = {1: stem} | {
        int(match[1]): path.name
        for path in runs.glob(f"{stem}-*")
        if (match := re.fullmatch(re.escape(stem) + r"-(\d+)", path.name))
    }
    existing = [n for n in sorted(numbered, reverse=True) if (runs / numbered[n]).exists()]
    free: list[tuple[RunFolder, FileLock]] = []
    for number in [] if again else existing:
        folder = RunFolder(runs / numbered[number])
        if lock := _try_lock(folder.controller_lock):
            free.append((folder, lock))
    if free:
        chosen = next((pair for pair in free if not pair[0].summary.exists()), free[0])
    else:
        number = max(existing, default=0) + 1
        folder = RunFolder(runs / (stem if number == 1 else f"{stem}-{number}"))
        folder.path.mkdir()
        chosen = folder, FileLock(folder.controller_lock)
        chosen[1].acquire()
    for folder, lock in free:
        if folder is not chosen[0]:
            lock.release()
    return chosen


def _try_lock(path: Path) -> FileLock | None:
    lock = FileLock(path)
    try:
        # Not at once: `is_held` of another process holds it for a moment.
        lock.acquire(timeout=0.3, poll_interval=0.02)
    except Timeout:
        return None
    return lock
