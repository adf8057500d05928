"""Proposals of a split, found once and kept in the cache.

Shape letters: N pictures of a split, P proposals.
They are found in pieces, each written whole, so that a search that was killed goes on where it was.
"""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import keras
import numpy as np

from zoo.data.cache import cache_folder, lock_folder
from zoo.data.source import Source
from zoo.pictures import read_picture

VERSION = 1  # raise it with every change of what a proposer finds
PIECE = 64  # pictures: half a minute of selective search
_SEARCHES = 2  # at once; OpenCV lets go of the interpreter


class Proposals:
    """The proposals of a split, in stored order, on the disk.

    Args:
        files: the pieces.
    """

    def __init__(self, files: list[Path]):
        self._pieces = [np.load(file, mmap_mode="r") for file in files]

    def __getitem__(self, index: int) -> np.ndarray:
        """Return (P, 4) float32 xyxy, fractions of the stored picture; zeros where padded."""
        return np.asarray(self._pieces[index // PIECE][index % PIECE])

    @property
    def count(self) -> int:
        """P."""
        return self._pieces[0].shape[1]


def find_proposals(
    source: Source,
    split: str,
    proposer,
    *,
    limit: int | None = None,
    data_dir: str | None = None,
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> Proposals:
    """Return the proposals of a split, looking for those that are not in the cache.

    Args:
        proposer: picture (h, w, 3) uint8 -> (P, 4), such as `zoo.layers.SelectiveSearch`.
        limit: the first N pictures only.
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
        progress: called with what is under way, and how many pictures of it so far.
    """
    folder = cache_folder(data_dir) / "proposals" / _key(source, split, proposer)
    size = source.size(split) if limit is None else min(source.size(split), limit)
    files = []
    with lock_folder(folder, "lock"), ThreadPoolExecutor(_SEARCHES) as searches:
        for start in range(0, size, PIECE):
            stop = min(start + PIECE, size)
            file = folder / f"{start:08d}-{stop:08d}.npy"
            if not file.exists():
                pictures = _pictures(source, split, start, stop)
                _write(file, np.stack(list(searches.map(proposer, pictures))))
            files.append(file)
            progress(f"searching proposals in {split}", stop)
    return Proposals(files)


def _key(source: Source, split: str, proposer) -> str:
    """Name what was found, by what was looked at and how."""
    told = keras.saving.serialize_keras_object(proposer)
    text = json.dumps([VERSION, source.digest(split), told], sort_keys=True, default=str)
    return f"{split}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _pictures(source: Source, split: str, start: int, stop: int):
    records = source.records(split, stop).skip(start).as_numpy_iterator()
    return (read_picture(record["image"]) for record in islice(records, stop - start))


def _write(file: Path, values: np.ndarray) -> None:
    part = file.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as stream:
        np.save(stream, values.astype(np.float32))
    part.replace(file)
