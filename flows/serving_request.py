"""A request to a served model -> the pictures in it.

A request is a table, a row a picture: `image` holds base64 of an encoded picture (JPEG, PNG, ...),
or `pixels` nested lists or an array, (H, W, 3) or (H, W), 0..255; the other one is null or left out
of the whole table.
"""

import base64
import binascii

import numpy as np
import pandas as pd
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Schema

# Rows of pixels are checked here, not by MLflow: its check of each number took 1 s a picture.
REQUEST = Schema(
    [
        ColSpec(DataType.string, "image", required=False),
        ColSpec(Array(AnyType()), "pixels", required=False),
    ]
)


def read_pictures(table: pd.DataFrame) -> list[bytes | np.ndarray]:
    """Return the pictures of a table, as encoded bytes or uint8 arrays.

    Raises:
        ValueError: a row has none, or holds something else.
    """
    return [picture for row in table.to_dict("records") for picture in _read_row(row)]


def _read_row(row: dict) -> list:
    """Return the pictures of a row: one, or all where a request gave its column in one cell."""
    cells = [(name, cell) for name, cell in row.items() if not _is_missing(cell)]
    if len(cells) != 1 or cells[0][0] not in ("image", "pixels"):
        names = ", ".join(str(name) for name, _ in cells) or "neither"
        raise ValueError(f"each row must have either image (base64) or pixels (array); got {names}")
    name, cell = cells[0]
    if name == "image":
        return [_decode(text) for text in np.ravel(np.asarray(cell, dtype=object))]
    pixels = _read_pixels(cell)
    return list(pixels) if pixels.ndim == 4 else [pixels]


def _is_missing(cell) -> bool:
    return cell is None or (isinstance(cell, float) and np.isnan(cell))


def _decode(text) -> bytes:
    """Return the bytes behind base64, with or without a `data:` URL's head."""
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError, AttributeError) as error:
        raise ValueError(f"image must be base64 of an encoded picture: {error}") from error


def _read_pixels(cell) -> np.ndarray:
    try:
        pixels = np.asarray(cell)
        legal = pixels.dtype.kind in "iuf" and pixels.size > 0
    except ValueError:  # rows of different lengths
        legal = False
    if not legal:
        raise ValueError("pixels must be a full array of numbers, (H, W, 3) or (H, W), 0..255")
    if not (pixels.min() >= 0 and pixels.max() <= 255):
        raise ValueError(
            f"pixels must be 0..255; got {pixels.min()} to {pixels.max()}. Were they normalised?"
        )
    return np.rint(pixels).astype(np.uint8)
