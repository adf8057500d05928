"""Which pictures a batch prediction is of, which of them are done, and the rest cut into shards.

Words: a picture's *key* stands for its path, size and time of change, so that a picture that was
replaced is another one; a *recipe* stands for the model's bytes and what is asked of it; a *shard*
is some pictures that one process answers, and its file, named after the recipe and their keys, is
there whole or not at all. So whatever is lost, repeated or done twice at once, each picture counts
once.
"""

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.inputs import PICTURES
from flows.runtime import UserError

MANIFEST = ".txt"
_VERSION = 1  # raise it where the lines of a shard's file change


@dataclass(frozen=True)
class Picture:
    """A picture to be answered: its path as results name it, and its key."""

    path: str
    key: str


@dataclass(frozen=True)
class Shard:
    """Pictures for one process, and the name of their file of results."""

    name: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Place:
    """Where a picture's results are: a line of a shard's file."""

    file: Path
    offset: int


def list_pictures(sources: Sequence[str], out: Path) -> list[Picture]:
    """Return the pictures that sources name, each once, in the order given and then by name.

    Args:
        sources: pictures, folders (with those inside), globs, or manifests: text files NAME.txt
            with a path a line, relative to the manifest.
        out: the folder for results, which is passed over.

    Raises:
        UserError: a source names nothing.
    """
    found = dict.fromkeys(path for source in sources for path in _expand(source, out.resolve()))
    return [Picture(path, _key(path)) for path in found]


def recipe(model: Path, min_score: float) -> str:
    """Return 12 hex digits over all that an answer depends on beside the picture."""
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _digest([_VERSION, digest, min_score])[:12]


def cut(pictures: Sequence[Picture], size: int, recipe: str) -> list[Shard]:
    """Cut pictures into shards of `size`, the last one of what is left."""
    pieces = (tuple(pictures[start : start + size]) for start in range(0, len(pictures), size))
    return [Shard(_digest([recipe, *(one.key for one in piece)])[:16], piece) for piece in pieces]


def find_done(folder: Path, *, but_rejected: bool = False) -> dict[str, Place]:
    """Return where the results of pictures are that finished shards hold, by key.

    Args:
        folder: with the shards' files of one recipe.
        but_rejected: pass over those that could not be answered, so that they are tried again.
    """
    done: dict[str, Place] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for offset, line in _lines(file):
            if "key" in line and not (but_rejected and "reason" in line):
                done.setdefault(line["key"], Place(file, offset))
    return done


def _lines(file: Path) -> Iterator[tuple[int, dict]]:
    offset = 0
    with file.open("rb") as lines:
        for line in lines:
            yield offset, json.loads(line)
            offset += len(line)


def _expand(source: str, out: Path) -> Iterator[str]:
    path = Path(source)
    if path.is_dir():
        found = _walk(path, out)
        wanted = "no pictures in this folder"
    elif path.suffix.lower() == MANIFEST and path.is_file():
        found = _manifest(path)
        wanted = "no picture is named in this manifest"
    elif path.is_file():
        found, wanted = iter([source]), ""
    else:
        found = (one for one in sorted(glob.glob(source, recursive=True)) if _is_picture(one))
        wanted = "no such picture, folder or manifest, and no picture matches"
    first = next(found, None)
    if first is None:
        raise UserError(f"{source}: {wanted}")
    yield first
    yield from found


def _walk(folder: Path, out: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if Path(place, one).resolve() != out)
        yield from (os.path.join(place, name) for name in sorted(names) if _is_picture(name))


def _manifest(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if named := line.strip():
                    yield str(path.parent / named)
    except UnicodeDecodeError:
        raise UserError(f"{path}: a manifest must be text in UTF-8, a path a line") from None


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURES


def _key(path: str) -> str:
    try:
        status = os.stat(path)
        facts = [path, status.st_size, status.st_mtime_ns]
    except OSError:
        facts = [path]  # its reader will say what is wrong with it
    return _digest(facts)[:24]


def _digest(values: list) -> str:
    return hashlib.sha256(json.dumps(values).encode(errors="surrogatepass")).hexdigest()
