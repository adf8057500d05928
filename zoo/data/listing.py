"""Files below a folder in a fixed order, without holding their names in memory.

A file system lists a folder in any order it likes. Sorting in memory would take more of it the
more pictures there are, so a temporary database sorts, on the disk beyond its cache.
Words: a name is a path as text, with surrogates for what is not UTF-8, as Python's `os` gives it.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from zoo.data.annotation_files import why_not

LEFT_BY_DESKTOPS = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})


def sorted_files(
    folders: Iterable[Path], key: Callable[[str], str] = str
) -> Iterator[tuple[str, str]]:
    """Walk folders, links followed, and yield (key, name) of their files, each once, in order.

    Names that begin with a dot and those that desktops leave behind are passed over.

    Args:
        folders: each is walked with all that lies below it.
        key: name -> what to sort by, byte by byte.
    Raises: ValueError: a folder cannot be read.
    """
    names = chain.from_iterable(_walk(str(folder)) for folder in folders)
    rows = ((os.fsencode(key(name)), os.fsencode(name)) for name in names)
    with closing(scratch_database()) as database:
        database.execute("CREATE TABLE files (key BLOB, name BLOB)")
        database.executemany("INSERT INTO files VALUES (?, ?)", rows)
        for row in database.execute("SELECT DISTINCT key, name FROM files ORDER BY key, name"):
            yield os.fsdecode(row[0]), os.fsdecode(row[1])


def scratch_database() -> sqlite3.Connection:
    """Make a database on disk that is gone when closed; a generator over it may change threads."""
    return sqlite3.connect("", check_same_thread=False)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder by name, without those that `sorted_files` passes over."""
    return sorted(Path(entry.path) for entry in _entries(str(folder)) if entry.is_dir())


def _walk(folder: str, above: tuple = ()) -> Iterator[str]:
    identity = _identity(folder)
    if identity in above:  # a link to a folder that holds it
        return
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _walk(entry.path, (*above, identity))
        else:
            yield entry.path


def _entries(folder: str) -> Iterator[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name not in LEFT_BY_DESKTOPS:
                    yield entry
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read: {why_not(error)}.") from None


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read: {why_not(error)}.") from None
    return status.st_dev, status.st_ino
