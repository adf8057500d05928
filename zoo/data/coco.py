"""Reader of COCO JSON: one file a split, beside folders of pictures.

    annotations/instances_train2017.json  train2017/000000000009.jpg

A file of a million annotations is read once, a piece at a time, into tables on the disk; they are
gone when the layout is. An id in a record is the picture's path without its suffix, as in the
other formats; COCO's own ids only join annotations to pictures.
"""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data.annotation_files import check_folder
from zoo.data.coco_tables import Tables
from zoo.data.layout import (
    PICTURE_SUFFIXES,
    CocoIds,
    Defect,
    FoundObject,
    FoundPicture,
    Layout,
    picture_id,
    shown,
    split_names,
)

_SAMPLE = 20  # pictures that are looked for to find their folder


def open_coco(path: Path) -> Layout:
    """Open a COCO folder, or a single annotation file.

    Splits are the files annotations/instances_*.json, else annotations/*.json, *.json or
    */_annotations.coco.json. The folder of a split's pictures is found by looking.

    Raises: ValueError: there is no annotation file, or one is no COCO JSON.
    """
    path = Path(path)
    files = _annotation_files(path)
    root = path.parent if path.is_file() else path
    splits = {name: _Split(name, files[name], root) for name in files}
    shared = _Shared(splits)
    names = _class_names(list(splits.values()))
    if not names:
        raise ValueError(f"{path}: no categories in {', '.join(f.name for f in files.values())}.")

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        yield from splits[split].pictures()
        yield from shared.unlisted(split)

    return Layout("coco", names, tuple(splits), pictures)


def read_coco_ids(path: Path, split: str) -> CocoIds:
    """Return what the annotation file of a split calls its pictures and classes."""
    path = Path(path)
    root = path.parent if path.is_file() else path
    found = _Split(split, _annotation_files(path)[split], root)
    images = {
        found.image_id(row["file_name"]): row["id"]
        for _, row, earlier in found.tables.pictures()
        if _check_picture(row) is None and earlier is None
    }
    return CocoIds(images, {name: key for key, name in found.tables.categories.items()})


def _annotation_files(path: Path) -> dict[str, Path]:
    """Split -> its annotation file."""
    if path.is_file():
        return dict.fromkeys(split_names([_token(path)]), path)
    check_folder(path, "a COCO folder or annotation file")
    for pattern in (
        "annotations/instances_*.json",
        "annotations/*.json",
        "*.json",
        "*/_annotations.coco.json",
    ):
        if found := {_token(file): file for file in sorted(path.glob(pattern))}:
            return {name: found[token] for name, token in split_names(found).items()}
    raise ValueError(
        f"{path}: expected annotations/instances_<split>.json, a COCO JSON file a split; "
        "found none. Is it another format, voc or yolo?"
    )


def _token(file: Path) -> str:
    """How an annotation file calls its split: train2017."""
    if file.name == "_annotations.coco.json":
        return file.parent.name
    return re.sub(r"^(instances|annotations)_", "", file.stem)


def _class_names(splits: "list[_Split]") -> tuple[str, ...]:
    """The names of all splits in the order of their ids, each once."""
    declared = [(key, name) for split in splits for key, name in split.tables.categories.items()]
    return tuple(dict.fromkeys(name for _, name in sorted(declared)))


class _Split:
    """One annotation file and its pictures."""

    def __init__(self, name: str, file: Path, root: Path):
        self.name, self.file, self.root = name, file, root

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.file)

    @cached_property
    def folder(self) -> Path:
        """Where most of the first pictures are."""
        sample = self.tables.file_names(_SAMPLE)
        token, inside = _token(self.file), self.root / "images"
        named = [base / name for base in (self.root, inside) for name in (token, self.name)]
        folders = list(dict.fromkeys([*named, inside, self.file.parent, self.root]))
        found = [
            sum((folder / name.replace("\\", "/")).is_file() for name in sample)
            for folder in folders
        ]
        if sample and not any(found):
            raise ValueError(
                f"{self.file}: none of its pictures is found, such as {shown(sample[0])}; looked "
                f"in {', '.join(str(folder) for folder in folders)}. Where are they?"
            )
        return folders[found.index(max(found))]

    def pictures(self) -> Iterator[FoundPicture | Defect]:
        for line, row, earlier in self.tables.pictures():
            yield from self._picture(line, row, earlier)
        for line, row in self.tables.orphans():
            yield self._orphan(line, row)

    def image_id(self, file_name: str) -> str:
        name = _posix(file_name)
        return name if self.tables.shares_stem(name) else picture_id(name)

    def defect(self, kind: str, line: int, message: str) -> Defect:
        return Defect(kind, str(self.file), line, message)

    def _picture(self, line: int, row: Any, earlier: int | None):
        problem = _check_picture(row)
        if problem is None and earlier is not None:
            message = f"image id {shown(row['id'])} is taken in line {earlier}. Number them anew?"
            problem = ("duplicate_id", message)
        if problem is not None:
            yield self.defect(problem[0], line, problem[1])
            return
        objects = []
        for number, annotation, second in self.tables.annotations(row["id"]):
            found = self._object(number, annotation, second)
            if isinstance(found, Defect):
                yield found
            else:
                objects.append(found)
        size = (row["height"], row["width"]) if row.get("height") and row.get("width") else None
        file, image_id = self.folder / _posix(row["file_name"]), self.image_id(row["file_name"])
        yield FoundPicture(file, image_id, tuple(objects), str(self.file), line, size)

    def _object(self, line: int, row: Any, second: bool) -> FoundObject | Defect:
        problem = _check_annotation(row)
        if problem is None and second:
            message = f"annotation id {shown(row['id'])} is taken. Number the annotations anew?"
            problem = ("duplicate_annotation_id", message)
        if problem is None:
            name = self.tables.class_name(row["category_id"])
            if name is None:
                message = f"category_id {shown(row['category_id'])} is not among the categories."
                problem = ("unknown_class", message)
        if problem is not None:
            return self.defect(problem[0], line, problem[1])
        left, top, width, height = map(_float, row["bbox"])
        area = row.get("area")
        return FoundObject(
            box=(left, top, left + width, top + height),
            name=name,
            crowd=row.get("iscrowd") in (1, True),
            area=None if area is None else _float(area) if _is_number(area) else float("nan"),
            segmentation=row.get("segmentation") or None,
            line=line,
        )

    def _orphan(self, line: int, row: Any) -> Defect:
        if not isinstance(row, dict):
            return self.defect("wrong_type", line, f"expected an annotation; got {shown(row)}.")
        image_id = shown(row["image_id"]) if "image_id" in row else "missing"
        message = f"expected image_id to be the id of a picture in images; it is {image_id}."
        return self.defect("annotation_without_picture", line, message)


class _Shared:
    """The folders of pictures, which several splits may share."""

    def __init__(self, splits: dict[str, _Split]):
        self.splits = splits

    def unlisted(self, split: str) -> Iterator[Defect]:
        """Pictures that no split names; the first split that shares a folder tells."""
        folder = self.splits[split].folder
        sharing = [other for other in self.splits.values() if other.folder == folder]
        if sharing[0].name != split or not folder.is_dir():
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if Path(entry.name).suffix.lower() not in PICTURE_SUFFIXES:
                    continue
                if not any(other.tables.names_file(entry.name) for other in sharing):
                    message = f"a picture that {self.splits[split].file.name} does not name."
                    yield Defect("unlisted_picture", entry.path, None, message)


def _posix(file_name: str) -> str:
    return file_name.replace("\\", "/")  # as Windows writes it


def _check_picture(row: Any) -> tuple[str, str] | None:
    if not isinstance(row, dict):
        return "malformed_annotation", f"expected a picture's object in images; got {shown(row)}."
    for key, kinds, what in (("id", (int, str), "a number"), ("file_name", (str,), "a text")):
        if key not in row:
            return "missing_key", f"a picture without {key}."
        if not isinstance(row[key], kinds) or isinstance(row[key], bool) or row[key] == "":
            return "malformed_annotation", f"{key} must be {what}; got {shown(row[key])}."
    for key in ("height", "width"):
        value = row.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            return "malformed_annotation", f"{key} must be a whole number; got {shown(value)}."
    return None


def _check_annotation(row: Any) -> tuple[str, str] | None:
    if not isinstance(row, dict):
        return "wrong_type", f"expected an annotation's object; got {shown(row)}."
    if "category_id" not in row:
        return "missing_class", "an annotation without category_id."
    if "bbox" not in row:
        return "missing_box", "an annotation without bbox."
    box = row["bbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return "wrong_type", f"bbox must be [left, top, width, height]; got {shown(box)}."
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # an int of 400 digits
        return float("inf")
