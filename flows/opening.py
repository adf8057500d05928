"""What the worker's verbs are given: a model, data and pictures, opened or refused in a line."""

from typing import TYPE_CHECKING

from flows.progress import Counting
from flows.runtime import UserError

if TYPE_CHECKING:
    import numpy as np

    from zoo import Task
    from zoo.data import Source
    from zoo.export import Exported


def open_model(path: str) -> "Task | Exported":
    """Open a published model, or what `zoo export` made of one.

    Raises:
        UserError: it is neither.
    """
    from zoo.export import is_export, open_exported

    if not is_export(path):
        return open_task(path)
    try:
        return open_exported(path)
    except (ValueError, ImportError) as error:
        raise UserError(str(error)) from error


def open_task(path: str) -> "Task":
    """Open a published model.

    Raises:
        UserError: it is none.
    """
    import zoo

    try:
        return zoo.load(path)
    except ValueError as error:
        raise UserError(str(error)) from error


def open_data(spec: str, on_defect: str, options: dict) -> "tuple[Source, str]":
    """Return the source and the split, val where the SPEC names none.

    Raises:
        UserError: there is none of that name, or it is defect.
    """
    from zoo import data

    try:
        source, split = data.parse_spec(spec, on_defect=on_defect, progress=Counting(), **options)
    except ValueError as error:
        raise UserError(f"--data {spec}: {error}") from error
    return source, split or ("val" if "val" in source.splits else source.splits[-1])


def read_pictures(source: "Source", split: str, spec: str, count: int) -> "list[np.ndarray]":
    """Return the first `count` pictures of a split, (h, w, 3) uint8 each.

    Args:
        spec: how the user named the data.

    Raises:
        UserError: one cannot be read.
    """
    records = source.records(split, count).as_numpy_iterator()
    named = ((record["image_id"].decode(), record["image"]) for record in records)
    try:
        return [decode_picture(spec, image_id, encoded) for image_id, encoded in named]
    except ValueError as error:
        raise UserError(f"--data {spec}: {error}") from error


def decode_picture(spec: str, image_id: str, encoded: bytes) -> "np.ndarray":
    """Return a picture of the data, (h, w, 3) uint8.

    Raises:
        UserError: it cannot be read.
    """
    from zoo.pictures import read_picture

    try:
        return read_picture(encoded)
    except ValueError as error:
        raise UserError(f"--data {spec}: {image_id}: {error}") from error
