"""A data set in files -> a Source, through the indexes in the cache.

A second start reads nothing but the files' sizes and times; where one changed, the index is made
anew.
"""

import hashlib
import json
import os
import re
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import tensorflow as tf

from zoo.colormaps import Color
from zoo.data.cache import cache_folder, lock_folder, state_of
from zoo.data.defects import KINDS, is_left_out
from zoo.data.index import Progress, SplitIndex
from zoo.data.inspection import Inspection
from zoo.data.layout import Defect, FoundPicture, Layout, printable, shown
from zoo.data.picture_handles import fetch_picture
from zoo.data.source import Source

READER_VERSION = 3  # raise it with every change of what readers, judge or index make of the files
ON_DEFECT = ("stop", "skip")
_SHOWN = 3  # defects in an error; `zoo data check` lists them all
_WEEK = 7 * 24 * 3600.0  # seconds that an index outlives the state of its files


def open_indexed(
    name: str,
    opener: Callable[..., Layout],
    path: str | os.PathLike,
    *,
    on_defect: str = "stop",
    progress: Progress | None = None,
    data_dir: str | None = None,
    **options,
) -> Source:
    """Open a data set in some format.

    Args:
        name: of the format.
        opener: (path, **options) -> Layout.
        path: what the format's reader opens, mostly a folder.
        on_defect: `stop`: using a split in which something would have to be left out raises
            ValueError; `skip`: it is left out, and counted.
        progress: called with what is read, and how many pictures of it so far.
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
    Raises: ValueError: there is no such data set at the path.
    """
    if on_defect not in ON_DEFECT:
        raise ValueError(f"on_defect must be {' or '.join(ON_DEFECT)}; got {on_defect!r}.")
    files = _Indexes(name, opener, path, options, cache_folder(data_dir) / "index", progress)
    spec = f"{name}:{os.fspath(path)}"

    def inspect(split: str) -> Inspection:
        found = files.inspection(split)
        if on_defect == "stop":
            _check_clean(spec, files.split(split), found)
        return found

    def read(split: str) -> tf.data.Dataset:
        if inspect(split).size == 0:
            raise ValueError(
                f"{spec}@{split}: no picture in it can be used. See {_check_command(spec)}."
            )
        return files.split(split).records()

    def defects(split: str) -> Iterator[Defect]:
        files.inspection(split)
        return files.split(split).defects()

    return Source(
        spec,
        files.header.class_names,
        files.header.splits,
        read,
        fetch=fetch_picture,
        inspect_split=inspect,
        read_defects=defects,
        palette=files.header.palette,
    )


def open_layout(opener: Callable[..., Layout], path: Path, **options) -> Layout:
    """Open a layout so that whatever its reader refuses, then or later, is told in one line."""
    with _in_one_line():
        layout = opener(path, **options)
        _check_names(path, "class", layout.class_names)
        _check_names(path, "split", layout.splits)

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        with _in_one_line():
            yield from layout.pictures(split)

    return replace(layout, pictures=pictures)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(printable(str(error))) from None


def _check_names(path: Path, what: str, names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{path}: the {what} {name!r} is named twice. Name each once.")
        if not name or name != printable(name):
            raise ValueError(
                f"{path}: a {what} must be named by text; got {shown(name)}. Is the file UTF-8?"
            )


@dataclass(frozen=True)
class _Header:
    """What an opened layout says; `state` is that of its files."""

    state: str
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    palette: tuple[Color, ...]


class _Indexes:
    """The indexes of a data set's splits, each made when it is first asked for."""

    def __init__(self, name, opener, path, options, cache: Path, progress: Progress | None):
        self.name, self.path, self.progress = name, os.fspath(path), progress
        self._open = lambda: open_layout(opener, Path(path), **options)
        place = os.path.abspath(self.path)
        identity = json.dumps(
            [READER_VERSION, name, os.fsencode(place).hex(), options], default=str
        )
        digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
        label = re.sub(r"[^\w.-]+", "_", os.path.basename(place), flags=re.ASCII)[:40]
        self.folder = cache / f"{name}-{label}-{digest}"

    @cached_property
    def layout(self) -> Layout:
        return self._open()

    @cached_property
    def header(self) -> _Header:
        """From the cache where nothing changed since; else from the layout."""
        file = self.folder / "header.json"
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            state = state_of([Path(os.fsdecode(bytes.fromhex(root))) for root in told["roots"]])
            if state == told["state"]:
                names = (tuple(told[name]) for name in ("class_names", "splits"))
                return _Header(state, *names, tuple(map(tuple, told["palette"])))
        except (OSError, ValueError, KeyError):
            pass
        return self._make_header(file)

    def split(self, split: str) -> SplitIndex:
        return SplitIndex(self.folder, split, self.header.state)

    def inspection(self, split: str) -> Inspection:
        index = self.split(split)
        found = index.inspection()
        if found is None:
            with lock_folder(self.folder, "lock"):
                found = index.inspection()  # another process may have made it meanwhile
                if found is None:
                    self._clear_old()
                    found = index.make(self.layout, f"{self.name}:{self.path}", self.progress)
        return found

    def _make_header(self, file: Path) -> _Header:
        path = Path(self.path).absolute()
        roots = [path, *self.layout.roots]
        layout = self.layout
        header = _Header(state_of(roots), layout.class_names, layout.splits, layout.palette)
        told = {
            "state": header.state,
            "class_names": header.class_names,
            "splits": header.splits,
            "palette": header.palette,
            "roots": [os.fsencode(root.absolute()).hex() for root in roots],
        }
        with lock_folder(self.folder, "lock"):
            part = file.with_suffix(".part")
            part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            part.replace(file)
        return header

    def _clear_old(self) -> None:
        """Remove indexes of earlier states, unless a run that began on one may go on."""
        for file in self.folder.glob("*-*.*"):
            old = time.time() - file.stat().st_mtime > _WEEK
            if old and not file.stem.endswith(self.header.state):
                file.unlink(missing_ok=True)


def _check_clean(spec: str, index: SplitIndex, found: Inspection) -> None:
    """Raise ValueError where something of the split would have to be left out."""
    counts = {kind: count for kind, count in found.defects.items() if is_left_out(kind)}
    if not counts:
        return
    first = islice((defect for defect in index.defects() if is_left_out(defect.kind)), _SHOWN)
    told = " ".join(str(defect) for defect in first)
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    total = sum(counts.values())
    raise ValueError(
        f"{spec}@{index.split}: {total} defect{'s' if total > 1 else ''} ({kinds}): {told} "
        f"Leave them out with on_defect: skip, or list them with {_check_command(spec)}."
    )


def _check_command(spec: str) -> str:
    return f"`zoo data check {shlex.quote(spec)}`"


def describe_effect(kind: str) -> str:
    """Say what becomes of a defect of a kind: left out, or used."""
    effect = KINDS[kind].effect if kind in KINDS else "picture"
    return "used" if effect == "told" else f"{effect} left out"
