"""What a user names on the command line -> the pictures and videos behind it, and where results go.

Needs neither Keras nor zoo, so that a wrong name is told before a model is loaded.
"""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.runtime import UserError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"})
VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"})


@dataclass(frozen=True)
class Input:
    """One file to look at, and the name of its annotated copy in the output folder."""

    path: Path
    kind: Literal["picture", "video"]
    output: str


def find_inputs(sources: Sequence[str], out: Path) -> list[Input]:
    """Return the files that sources name, each once, in the order given and then by name.

    Args:
        sources: files, folders (their pictures and videos, not those of folders inside) or globs.
        out: the folder the annotated copies go to; it must not hold one of the originals.

    Raises:
        UserError: a source matches nothing, or a copy would replace an original.
    """
    paths = list(dict.fromkeys(path for source in sources for path in _expand(source)))
    names = _output_names(paths)
    originals = {path.resolve() for path in paths}
    for name in names:
        if (out / name).resolve() in originals:
            raise UserError(f"--out {out}: {name} is one of the originals there; name another one")
    return [
        Input(path, "video" if _is_video(path) else "picture", name)
        for path, name in zip(paths, names, strict=True)
    ]


def _expand(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.is_file() and _is_known(p))
        if not found:
            raise UserError(f"{source}: no pictures or videos in this folder")
        return found
    if path.exists():
        return [path]
    if glob.has_magic(source):
        matches = (Path(match) for match in glob.glob(source, recursive=True))
        found = sorted(p for p in matches if p.is_file() and _is_known(p))
        if not found:
            raise UserError(f"{source}: no picture or video matches")
        return found
    raise UserError(f"{source}: no such picture, video or folder")


def _output_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path, all different; JPEG stays JPEG, other pictures become PNG."""
    taken: set[str] = set()
    names = []
    for path in paths:
        suffix = ".mp4" if _is_video(path) else _picture_suffix(path)
        name, number = f"{path.stem}{suffix}", 1
        while name.lower() in taken:
            number += 1
            name = f"{path.stem}-{number}{suffix}"
        taken.add(name.lower())
        names.append(name)
    return names


def _picture_suffix(path: Path) -> str:
    return ".jpg" if path.suffix.lower() in (".jpg", ".jpeg") else ".png"


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS


def _is_known(path: Path) -> bool:
    return os.path.splitext(path.name)[1].lower() in PICTURES | VIDEOS
