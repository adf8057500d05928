"""The cache folder: what was prepared of data sets, and when it has to be prepared anew."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock


def cache_folder(data_dir: str | None = None) -> Path:
    """The folder that holds what was prepared: the argument, ZOO_DATA_DIR or ~/.cache."""
    default = Path.home() / ".cache" / "keras-vision-zoo"
    return Path(data_dir or os.environ.get("ZOO_DATA_DIR") or default).expanduser().absolute()


def lock_folder(folder: Path, name: str):
    """Hold a lock in a folder, which is made where missing, while in the context.

    Raises: ValueError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / name).acquire()
    except OSError as error:
        raise ValueError(
            f"{folder}: the cache folder cannot be written ({error.strerror}). "
            "Set ZOO_DATA_DIR to a folder that can."
        ) from None


def state_of(roots: Iterable[Path]) -> str:
    """Return 16 hex digits over names, sizes and times of all files at and below the roots.

    The time of the last change of a file's rights counts as well: they may be a defect.
    """
    total = 0
    for root in dict.fromkeys(roots):
        for path, status in _files(root):
            facts = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}" if status else "-"
            digest = hashlib.sha256(os.fsencode(path) + b"\0" + facts.encode()).digest()
            total += int.from_bytes(digest)  # a sum: folders come in any order
    return f"{total % 2**256:064x}"[:16]


def _files(root: Path) -> Iterator[tuple[str, os.stat_result | None]]:
    """Files with their status, through links; None for what cannot be looked at."""
    if not root.is_dir():
        yield str(root), _status(str(root))
        return
    seen: set[tuple[int, int]] = set()  # folders, since links may lead in a circle
    for folder, folders, files in os.walk(root, followlinks=True):
        kept = []
        for name in folders:
            status = _status(os.path.join(folder, name))
            if status is not None and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                kept.append(name)
        folders[:] = kept
        for name in files:
            path = os.path.join(folder, name)
            yield path, _status(path)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None
