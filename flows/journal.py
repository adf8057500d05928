"""The journal of a run: what the worker did, one JSON line an event, for whoever follows.

The worker appends; every line is on the disk before `append` returns; nothing is ever rewritten.
So whatever dies (worker, controller, tracking server) the journal still tells what happened, and a
reader that remembers how far it came loses nothing and reads nothing twice.

Words: an *event* is a dict with `seq` (0, 1, 2, ...), `time` (seconds since 1970), `kind` and the
fields of its kind:

    preparing   what, done: pictures read, or searched for proposals, so far
    started     backend, precision, versions, parameters, task (the model's kind), data_digest,
                train_size, val_size, num_params, pid, reused_rows: a report, or None
    resumed     step: a restarted worker goes on from the checkpoint of that step
    step        step, epoch, metrics
    epoch       step, epoch, metrics
    evaluation  step, epoch, metrics
    sample      step, path: a picture, its path relative to the run folder
    checkpoint  step
    stopped     step, epoch, best_step, best, metric: the training ends before its last epoch
    published   path, sha256, step: that its weights are of
    hardware    step, path: the report, picture, facts, metrics: its figures
    finished    step, metrics, timings
    failed      reason

A resumed worker computes the steps since its checkpoint again and appends their events again. They
are known by (kind, step, path) and written once; `REPEATED` kinds tell of an attempt, not of a
step, and are written each time.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

REPEATED = frozenset({"preparing", "resumed", "published", "failed"})


class Journal:
    """The writing end; one process at a time (the worker, which holds the run folder's lock).

    Opening drops what a crash left of a half-written last line.

    Args:
        path: the file; made where missing.

    Example:
        with Journal(run_dir / "journal.jsonl") as journal:
            journal.append("step", step=1, epoch=0, metrics={"loss": 0.7})
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.touch()
        events, length = _parse(self.path.read_bytes(), self.path)
        os.truncate(self.path, length)
        self._next_seq = events[-1]["seq"] + 1 if events else 0
        self._written = {_identity(event) for event in events}
        self._file = self.path.open("ab", buffering=0)

    def append(self, kind: str, **fields) -> bool:
        """Write one event and wait until it is on the disk.

        Args:
            kind: a kind of the module's table.
            **fields: its fields; NumPy scalars are taken as plain numbers.
        Returns: False where the event stood in the journal already, so was not written again.
        """
        identity = _identity({"kind": kind, **fields})
        if identity in self._written and kind not in REPEATED:
            return False
        event = {"seq": self._next_seq, "time": time.time(), "kind": kind, **fields}
        self._write(json.dumps(event, default=_plain).encode() + b"\n")
        self._next_seq += 1
        self._written.add(identity)
        return True

    def _write(self, line: bytes) -> None:
        """Write a whole line, or none of it: a full disk takes a part, and says so only then."""
        length = os.fstat(self._file.fileno()).st_size
        left = memoryview(line)
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            os.truncate(self.path, length)
            raise

    def close(self) -> None:
        """Close the file; events are on the disk without it."""
        self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()


class JournalReader:
    """The following end: each `poll` returns the events written since the last one.

    Args:
        path: the file; it may be missing as yet.
        after: events up to and including this `seq` are passed over.
    """

    def __init__(self, path: str | Path, *, after: int = -1) -> None:
        self.path = Path(path)
        self._after = after
        self._offset = 0

    def poll(self) -> list[dict]:
        """Return the new events, in order; a half-written line waits for its end."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            events, length = _parse(file.read(), self.path)
        self._offset += length
        return [event for event in events if event["seq"] > self._after]


def read_journal(path: str | Path, after: int = -1) -> list[dict]:
    """Return the events whose `seq` is above `after`; none where the file is missing."""
    return JournalReader(path, after=after).poll()


def last_event(events: list[dict], kind: str) -> dict | None:
    """Return the latest event of a kind, or None."""
    return next((event for event in reversed(events) if event["kind"] == kind), None)


def _identity(event: dict) -> tuple:
    return event["kind"], event.get("step"), event.get("path")


def _parse(content: bytes, path: Path) -> tuple[list[dict], int]:
    """Return the whole events at the head of `content` and the bytes they take."""
    events: list[dict] = []
    length = 0
    for line, is_last in _lines(content):
        try:
            events.append(json.loads(line))
        except ValueError as error:
            if is_last:
                break
            raise ValueError(
                f"{path}: every line must be a JSON event; got {line[:60]!r} after event "
                f"{len(events)}. Was the journal edited by hand?"
            ) from error
        length += len(line) + 1
    return events, length


def _lines(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines that have their newline, and whether each is the last of them."""
    lines = content.split(b"\n")[:-1]
    for number, line in enumerate(lines, start=1):
        yield line, number == len(lines)


def _plain(value):
    """Turn a NumPy or tensor scalar, or a path, into what JSON knows."""
    return value.item() if hasattr(value, "item") else str(value)
