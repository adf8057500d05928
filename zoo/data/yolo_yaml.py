"""The data.yaml of a YOLO data set: its classes, and where the pictures of each split are.

path: .                  # of the data set; default: the folder of this file
train: images/train      # a folder, a text list of pictures, or several of them
val: [images/val_a, lists/val_b.txt]
names: [cat, dog]        # or {0: cat, 1: dog}; nc, where it is there, must agree
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zoo.data.annotation_files import read_annotation
from zoo.data.layout import Defect, shown, split_name

SPLIT_KEYS = ("train", "training", "val", "valid", "validation", "test")


@dataclass(frozen=True)
class YoloData:
    """What a data.yaml says.

    Attributes:
        file: the data.yaml.
        root: folder of the data set.
        class_names: in the order of the labels.
        places: split -> folders and text lists of its pictures, all of which exist.
    """

    file: Path
    root: Path
    class_names: tuple[str, ...]
    places: dict[str, tuple[Path, ...]]


def read_yolo_yaml(path: Path) -> YoloData:
    """Read a data.yaml, given by its own path or by that of its folder.

    Raises: ValueError: what it says cannot be used; one line that names the file and the key.
    """
    file = _find(path)
    told = _load(file)
    bases = _bases(file, told.get("path"))
    places = {
        split_name(key): tuple(_place(file, key, entry, bases) for entry in _listed(told[key]))
        for key in SPLIT_KEYS
        if told.get(key)
    }
    if not places:
        raise ValueError(f"{file}: expected a train, val or test with pictures; found none.")
    return YoloData(file, bases[0], _class_names(file, told), places)


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise ValueError(f"{path}: expected a data.yaml or its folder; there is none.")
    files = sorted(file for end in ("yaml", "yml") for file in path.glob(f"*.{end}"))
    named = [file for file in files if file.stem in ("data", "dataset")] or files
    if len(named) != 1:
        found = ", ".join(file.name for file in named) or "none"
        raise ValueError(f"{path}: expected one data.yaml; found {found}. Name the file itself.")
    return named[0]


class _Loader(yaml.SafeLoader):
    """YAML without aliases, of which ten lines may be 10**10 values."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "aliases are not read here", mark)
        return super().compose_node(parent, index)


def _load(file: Path) -> dict:
    content = read_annotation(file)
    if isinstance(content, Defect):
        raise ValueError(str(content))
    try:
        told = yaml.load(content, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{file}{line}: malformed YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        reason = str(error).split("\n", 1)[0]  # such as a date of 31 February
        raise ValueError(f"{file}: malformed YAML: {reason}.") from None
    if not isinstance(told, dict):
        raise ValueError(f"{file}: expected keys such as train, val and names; got {shown(told)}.")
    return told


def _bases(file: Path, path: Any) -> tuple[Path, ...]:
    """Folders that paths may be relative to; `path` of a set that was moved is often stale."""
    beside = file.absolute().parent
    if path in (None, ""):
        return (beside,)
    if not isinstance(path, str):
        raise ValueError(f"{file}: path must be a text; got {shown(path)}.")
    named = beside / path
    return (named, beside) if _exists(named) else (beside,)


def _listed(entries: Any) -> list:
    return entries if isinstance(entries, list) else [entries]


def _place(file: Path, key: str, entry: Any, bases: tuple[Path, ...]) -> Path:
    """The folder or list that an entry means.

    Some tools write ../train/images for the train/images beside the file, so that is tried last.
    """
    if not isinstance(entry, str) or not entry:
        raise ValueError(f"{file}: {key} must be a folder or a text list; got {shown(entry)}.")
    tried = [base / entry for base in bases]
    if entry.startswith("../"):
        tried += [base / entry.removeprefix("../") for base in bases]
    for place in tried:
        if _exists(place):
            return place
    raise ValueError(
        f"{file}: {key}: there is no {' and no '.join(map(str, tried))}. Is path right?"
    )


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False


def _class_names(file: Path, told: dict) -> tuple[str, ...]:
    names, count = told.get("names"), told.get("nc")
    if names is None and isinstance(count, int) and 0 < count <= 100_000:
        return tuple(str(number) for number in range(count))
    if isinstance(names, dict):
        names = _in_order(file, names)
    if not isinstance(names, list) or not names:
        raise ValueError(f"{file}: names must list the classes; got {shown(names)}.")
    for name in names:
        if isinstance(name, bool) or not isinstance(name, str | int | float) or name == "":
            hint = " YAML reads no, off and yes so: quote it." if isinstance(name, bool) else ""
            raise ValueError(f"{file}: names must be texts; got {shown(name)}.{hint}")
    if count is not None and count != len(names):
        raise ValueError(f"{file}: nc must be the {len(names)} of names; got {shown(count)}.")
    return tuple(str(name) for name in names)


def _in_order(file: Path, names: dict) -> list:
    """{0: cat, 1: dog} as a list."""
    if set(names) != set(range(len(names))):
        raise ValueError(f"{file}: names must be numbered 0, 1, 2 ...; got {shown(list(names))}.")
    return [names[number] for number in range(len(names))]
