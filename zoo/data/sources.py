"""The data sets by name, and the SPEC strings that name one on a command line."""

import difflib
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from zoo.data.bananas import load_bananas
from zoo.data.book_csv import open_csv
from zoo.data.book_sets import BananaDetection, Hotdog, load_book_set
from zoo.data.class_folders import open_folder
from zoo.data.coco import open_coco, read_coco_ids
from zoo.data.coco_segmentation import open_coco_segmentation
from zoo.data.indexed import open_indexed
from zoo.data.instance_masks import open_instance_masks
from zoo.data.layout import Layout
from zoo.data.mask_folders import open_mask_folders
from zoo.data.option_types import fits, spoken
from zoo.data.shapes import load_shapes
from zoo.data.source import Source
from zoo.data.tfds_names import open_tfds
from zoo.data.voc import open_voc
from zoo.data.voc_segmentation import open_voc_segmentation
from zoo.data.yolo import open_yolo

FORMATS: Mapping[str, Callable[..., Layout]] = {
    "coco": open_coco,
    "coco_segmentation": open_coco_segmentation,
    "csv": open_csv,
    "folder": open_folder,
    "instance_masks": open_instance_masks,
    "mask_folders": open_mask_folders,
    "tfds": open_tfds,
    "voc": open_voc,
    "voc_segmentation": open_voc_segmentation,
    "yolo": open_yolo,
}


def _without_defects(load: Callable[..., Source]) -> Callable[..., Source]:
    """The loader of our own pictures, which have none."""

    def loader(*, on_defect: str, progress, **options) -> Source:
        return load(**options)

    return loader


def _load_coco(path: str | os.PathLike, **options) -> Source:
    """A COCO folder, which knows the ids of its annotation files."""
    source = open_indexed("coco", open_coco, path, **options)
    return replace(source, coco_ids=partial(read_coco_ids, Path(path)))


_PAINTED = {"bananas": load_bananas, "shapes": load_shapes}
SOURCES: dict[str, Callable[..., Source]] = {
    **{name: _without_defects(load) for name, load in _PAINTED.items()},
    "banana_detection": partial(load_book_set, BananaDetection),
    "hotdog": partial(load_book_set, Hotdog),
    **{name: partial(open_indexed, name, opener) for name, opener in FORMATS.items()},
    "coco": _load_coco,
}


def list_sources() -> list[str]:
    """Names that `load_source` knows."""
    return sorted(SOURCES)


def load_source(
    name: str,
    *,
    path: str | os.PathLike | None = None,
    on_defect: str = "stop",
    progress: Callable[[str, int], None] | None = None,
    **options,
) -> Source:
    """Open a data set, preparing it first where that has not been done on this machine.

    Args:
        name: one of `list_sources()`: a format, or a data set by its own name.
        path: of a format's data set; for tfds its name, such as voc/2007.
        on_defect: what to do where a format's data set has defects: `stop`, or `skip` and count.
        progress: called with what is read, and how many pictures of it so far.
        **options: the source's own; bananas and shapes: seed, train_size, val_size, data_dir;
            voc: class_names; mask_folders and voc_segmentation: palette.
    Raises: ValueError: there is no such source, the path does not fit it, it has no such option,
        or an option is of another type.
    """
    _check_name(name)
    _check_options(name, options)
    options |= {"on_defect": on_defect, "progress": progress}
    if name not in FORMATS:
        if path is not None:
            raise ValueError(f"data {name} has no path; got {os.fspath(path)!r}. Leave it out.")
        return SOURCES[name](**options)
    if path is None:
        raise ValueError(
            f"data {name} needs a path, as in data: {{name: {name}, path: DIR}} "
            f"or {name}:DIR@SPLIT."
        )
    return SOURCES[name](path, **options)


def parse_spec(spec: str, **options) -> tuple[Source, str | None]:
    """Open the data set a SPEC names: `bananas`, `bananas@val` or `voc:DIR@val`.

    The split is what follows the last @; a path may hold @, : and blanks itself.

    Args:
        spec: NAME[@SPLIT] or FORMAT:PATH[@SPLIT].
        **options: of `load_source`.
    Returns: the source, and the split after the @ or None.
    Raises: ValueError: the source or the split is unknown.
    """
    name, colon, rest = spec.partition(":")
    if colon:
        path, split = _split_path(rest)
        source = load_source(name, path=path, **options)
    else:
        name, at, after = spec.partition("@")
        split = after if at else None
        source = load_source(name, **options)
    if split is not None and split not in source.splits:
        raise ValueError(
            f"{source.name} has the splits {', '.join(source.splits)}; got {split!r} in {spec!r}."
        )
    return source, split


def _split_path(rest: str) -> tuple[str, str | None]:
    """(path, split) of PATH@SPLIT; a file whose own name has the @ is no split."""
    path, at, split = rest.rpartition("@")
    if not at or os.sep in split:
        return rest, None
    if os.path.exists(rest) and not os.path.exists(path):
        return rest, None
    return path, split


def _check_options(name: str, options: Mapping) -> None:
    explained_by = FORMATS.get(name) or _PAINTED.get(name)
    known: dict[str, Any] = {}
    if explained_by is not None:
        parameters = inspect.signature(explained_by, eval_str=True).parameters.values()
        known = {one.name: one.annotation for one in parameters if one.kind is one.KEYWORD_ONLY}
    known["data_dir"] = str | os.PathLike | None
    for option, value in options.items():
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"data {name} has the options {', '.join(sorted(known))}; got {option!r}.{hint}"
            )
        if not fits(value, known[option]):
            raise ValueError(
                f"data {name}: {option} must be {spoken(known[option])}; got {value!r}."
            )


def _check_name(name: str) -> None:
    if name in SOURCES:
        return
    near = difflib.get_close_matches(name, SOURCES, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "Is it spelt right?"
    raise ValueError(
        f"data source must be one of {', '.join(list_sources())}; got {name!r}. {hint}"
    )
