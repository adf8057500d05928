"""Reader of a folder of pictures per class, with or without a folder per split above.

    train/cat/a.jpg  train/dog/b.jpg  val/cat/c.jpg        or        cat/a.jpg  dog/b.jpg

A record has one label and a box that covers all of its picture: classification looks at the label
alone. Without split folders a picture is in `val` where sha256 of its path below the folder, class
included and / between, is below a fifth of the way from 0 to 2**256, else in `train`: the same on
every machine, and however many pictures join later.
"""

import hashlib
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from zoo.data.annotation_files import check_folder
from zoo.data.layout import (
    PICTURE_SUFFIXES,
    Defect,
    FoundObject,
    FoundPicture,
    Layout,
    picture_id,
    split_name,
    split_names,
)
from zoo.data.listing import sorted_files, subfolders

VAL_SHARE = 0.2
WHOLE = (0.0, 0.0, 1.0, 1.0)
_SPLITS = frozenset({"train", "val", "test"})


def open_folder(path: Path) -> Layout:
    """Open a folder of pictures per class.

    Args:
        path: the folder of the class folders, or of split folders (train, val, test and the like)
            that hold them.
    Raises: ValueError: there are no class folders, or they stand among split folders.
    """
    path = Path(path)
    check_folder(path, "a folder of pictures for each class")
    folders = subfolders(path)
    named = _split_folders(path, folders)
    if not named:
        return _unsplit(path, folders)
    splits = split_names(folder.name for folder in named)
    places = {split: path / name for split, name in splits.items()}
    classes = {split: subfolders(place) for split, place in places.items()}

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        yield from _in_classes(places[split], classes[split])
        yield from _unclassed(places[split])

    names = sorted({folder.name for several in classes.values() for folder in several})
    return _layout(path, names, tuple(places), pictures)


def _split_folders(path: Path, folders: list[Path]) -> list[Path]:
    """The folders that are splits: all of them or none, since `train` may be a class too."""
    named = [folder for folder in folders if split_name(folder.name.lower()) in _SPLITS]
    hold_folders = any(subfolders(folder) for folder in named)
    if named and not hold_folders and len(named) == len(folders):
        raise ValueError(f"{path}: its splits have no folders of classes. Put one in for each.")
    if hold_folders and len(named) < len(folders):
        others = ", ".join(folder.name for folder in folders if folder not in named)
        raise ValueError(
            f"{path}: has folders of splits and others, {others}. Keep splits or classes in it."
        )
    return named if hold_folders else []


def _unsplit(path: Path, folders: list[Path]) -> Layout:
    """Class folders alone; the splits are a matter of the pictures' names."""

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        for found in _in_classes(path, folders):
            if isinstance(found, Defect):
                if split == "train":
                    yield found
            elif split_of(os.path.relpath(found.image, path)) == split:
                yield found
        if split == "train":
            yield from _unclassed(path)

    return _layout(path, [folder.name for folder in folders], ("train", "val"), pictures)


def split_of(inside: str) -> str:
    """The split of a picture by its path below the folder: `cat/a.jpg`."""
    digest = hashlib.sha256(os.fsencode(inside.replace(os.sep, "/"))).digest()
    return "val" if int.from_bytes(digest) < VAL_SHARE * 2**256 else "train"


def _layout(path: Path, names: list[str], splits: tuple[str, ...], pictures) -> Layout:
    if not names:
        raise ValueError(f"{path}: expected a folder of pictures for each class; found none.")
    return Layout("folder", tuple(names), splits, pictures)


def _in_classes(above: Path, folders: list[Path]) -> Iterator[FoundPicture | Defect]:
    """The pictures of class folders; whatever a file is called, it should be a picture."""
    for folder in folders:
        empty = True
        for stem, group in groupby(sorted_files([folder], picture_id), key=lambda pair: pair[0]):
            names = [name for _, name in group]
            for name in names:
                empty = False
                whole = os.path.relpath(name if len(names) > 1 else stem, above)
                thing = FoundObject(WHOLE, folder.name)
                yield FoundPicture(Path(name), whole, (thing,), str(folder), unit="fractions")
        if empty:
            yield Defect("empty_class", str(folder), None, "a class without a picture.")


def _unclassed(above: Path) -> Iterator[Defect]:
    """Pictures beside the class folders."""
    for entry in sorted(above.iterdir()):
        if entry.suffix.lower() in PICTURE_SUFFIXES and entry.is_file():
            message = "a picture in no class's folder. Move it into one?"
            yield Defect("missing_class", str(entry), None, message)
