"""The folder of a run: everything of it on this disk, and who may write there.

`<home>/runs/<name>-<config_hash>[-N]/` holds

    config.yaml      the resolved configuration        worker.log     what the worker printed
    journal.jsonl    what the worker did               checkpoint/    where it resumes
    model.keras      the published model               samples/       pictures with detections
    scores.json      the re-scoring elsewhere          predictions.json  what was found in it
    tracking.json    how far the tracking store is     summary.json   the end of the story
    hardware.json    the step and its machine          roofline.png   the same as a picture
    data_report.json what the data are, and were       gate.json      the table that decided
    champion.keras   what it began with, on request
    report.html      all of it as one page             report/        what was drawn for the page
    flow_run         the Prefect flow run it is of     *.lock         held while somebody is at work

The operating system frees a lock when its holder dies, however it dies; so a held lock means a
living process, and a free one means that the run may be taken over.
"""

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from flows.config import Config, config_hash, dump_config
from flows.whole_files import write_whole

# In the folder of the report's data: what the worker found, what it drew, where the run comes from.
DETAILS, PICTURES, ORIGIN = "details.json", "pictures", "origin.json"

_WAIT_SECONDS = 0.5  # between two looks at a run that another controller is at work on


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
        self.predictions = self.path / "predictions.json"
        self.summary = self.path / "summary.json"
        self.hardware = self.path / "hardware.json"
        self.report = self.path / "report.html"
        self.report_data = self.path / "report"
        self.tracking = self.path / "tracking.json"
        self.worker_log = self.path / "worker.log"
        self.worker_lock = self.path / "worker.lock"
        self.worker_pid = self.path / "worker.pid"
        self.controller_lock = self.path / "controller.lock"
        self.data_report = self.path / "data_report.json"
        self.gate = self.path / "gate.json"
        self.champion = self.path / "champion.keras"
        self.flow_run = self.path / "flow_run"

    @property
    def name(self) -> str:
        """The folder's own name, which is the run's."""
        return self.path.name


def default_home() -> Path:
    """Return the home where none is named: ZOO_HOME, else `mlruns` here."""
    return Path(os.environ.get("ZOO_HOME") or "mlruns").absolute()


def is_held(lock: Path) -> bool:
    """Return whether a living process holds the lock."""
    if not lock.exists():
        return False
    taken = _try_lock(lock)
    if taken is not None:
        taken.release()
    return taken is None


@contextmanager
def claim_folder(
    config: Config,
    home: Path,
    *,
    again: bool,
    flow_run: str | None = None,
    on_busy: Callable[[RunFolder], None] = lambda folder: None,
) -> Iterator[RunFolder]:
    """Choose the folder of a configuration's run and hold it while its controller works.

    The folder that this flow run had before, when it is run again. Else the newest folder of this
    configuration that is free: an interrupted run is continued, a finished one is looked at again.
    Where another controller is at work on the run, its end is waited for: then there is a result,
    or a run to be continued. A new folder where there is none as yet, or with `again`.

    Args:
        config: resolved; it is written to the folder.
        home: where `runs/` is.
        again: take a new folder, except where this flow run has one.
        flow_run: the id of the Prefect flow run.
        on_busy: told the folder that is waited for, once; what it raises ends the waiting.
    """
    stem = f"{config.name}-{config_hash(config)}"
    with claim(
        stem,
        home,
        again=again,
        flow_run=flow_run,
        on_busy=on_busy,
        prepare=lambda folder: write_config(folder, config),
    ) as folder:
        yield folder


def newest_folder(config: Config, home: Path) -> RunFolder | None:
    """Return the newest folder of a resolved configuration's runs, or None."""
    stem = f"{config.name}-{config_hash(config)}"
    return next(iter(_existing(home / "runs", stem)), None)


@contextmanager
def claim(
    stem: str,
    home: Path,
    *,
    again: bool,
    prepare: Callable[[RunFolder], None],
    flow_run: str | None = None,
    on_busy: Callable[[RunFolder], None] = lambda folder: None,
) -> Iterator[RunFolder]:
    """Do what `claim_folder` does, for folders `stem`, `stem-2`, ...; `prepare` is told first."""
    runs = home / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    waiting = False
    while True:
        with FileLock(home / "runs.lock"):
            folder, lock = _choose(runs, stem, again=again, flow_run=flow_run)
            if lock is not None:
                prepare(folder)
                if flow_run is not None:
                    folder.flow_run.write_text(flow_run)
                break
        if not waiting:
            on_busy(folder)
            waiting = True
        time.sleep(_WAIT_SECONDS)
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


def begin_folder(path: Path, config: Config) -> None:
    """Make the folder of a run that several processes begin at once; one that there is stays."""
    if not (path / "config.yaml").exists():
        write_whole(path / "config.yaml", dump_config(config))


def write_config(folder: RunFolder, config: Config) -> None:
    """Write the configuration; where another gate is wished, the end of the story is open again."""
    text = dump_config(config)
    if folder.config.exists() and folder.config.read_text(encoding="utf-8") != text:
        folder.summary.unlink(missing_ok=True)
    write_whole(folder.config, text)


def _choose(
    runs: Path, stem: str, *, again: bool, flow_run: str | None
) -> tuple[RunFolder, FileLock | None]:
    """Return a folder and its lock; no lock where another controller has to end first."""
    existing = _existing(runs, stem)
    if flow_run is not None and (own := _folder_of(flow_run, existing)) is not None:
        return own, _try_lock(own.controller_lock)
    if again or not existing:
        folder = _new_folder(runs, stem, existing)
        lock = FileLock(folder.controller_lock)
        lock.acquire()
        return folder, lock
    taken = [(folder, _try_lock(folder.controller_lock)) for folder in existing]
    free = [pair for pair in taken if pair[1] is not None]
    unfinished = [pair for pair in free if not pair[0].summary.exists()]
    chosen = next(iter(unfinished or free), taken[0])
    for pair in free:
        if pair[1] is not None and pair is not chosen:
            pair[1].release()
    return chosen


def _existing(runs: Path, stem: str) -> list[RunFolder]:
    """Return the folders of a configuration, the newest first."""
    numbered = {
        int(match[1] or 1): RunFolder(path)
        for path in runs.glob(f"{stem}*")
        if (match := re.fullmatch(re.escape(stem) + r"(?:-(\d+))?", path.name))
    }
    return [numbered[number] for number in sorted(numbered, reverse=True)]


def _folder_of(flow_run: str, folders: list[RunFolder]) -> RunFolder | None:
    for folder in folders:
        if folder.flow_run.exists() and folder.flow_run.read_text() == flow_run:
            return folder
    return None


def _new_folder(runs: Path, stem: str, existing: list[RunFolder]) -> RunFolder:
    number = 1
    if existing:
        number += int(existing[0].name.removeprefix(stem).lstrip("-") or 1)
    folder = RunFolder(runs / (stem if number == 1 else f"{stem}-{number}"))
    folder.path.mkdir()
    return folder


def _try_lock(path: Path) -> FileLock | None:
    lock = FileLock(path)
    try:
        # Not at once: `is_held` of another process holds it for a moment.
        lock.acquire(timeout=0.3, poll_interval=0.02)
    except Timeout:
        return None
    return lock
