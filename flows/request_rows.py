"""The JSON of a request to a served model -> its rows, and a row -> the pictures in it.

The request is that of MLflow's scoring protocol, an object with one of `dataframe_records`,
`dataframe_split`, `instances` and `inputs`, and perhaps `params`. A row is a picture: `image` holds
base64 of an encoded picture (JPEG, PNG, ...), or `pixels` nested lists or an array, (H, W, 3) or
(H, W), 0..255; the other one is null or left out. Imports neither MLflow nor pandas.
"""

import base64
import binascii
from typing import Any

import numpy as np

FORMATS = ("dataframe_records", "dataframe_split", "instances", "inputs")


def rows_of(request: Any) -> list[dict]:
    """Return the rows of a request.

    Args:
        request: what its JSON holds.

    Raises:
        ValueError: it is in none of the formats.
    """
    given = [name for name in FORMATS if name in request] if isinstance(request, dict) else []
    if len(given) != 1:
        raise ValueError(f"a request must be an object with one of {', '.join(FORMATS)}")
    table = request[given[0]]
    if given[0] == "dataframe_split":
        return _split_rows(table)
    rows = [table] if isinstance(table, dict) else table
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{given[0]} must hold rows, each with image (base64) or pixels (array)")
    return rows


def pictures_of(row: dict) -> list[bytes | np.ndarray]:
    """Return the pictures of a row: one, or all where a request gave its column in one cell.

    Returns: encoded bytes or uint8 arrays.

    Raises:
        ValueError: it has none, or holds something else.
    """
    cells = [(name, cell) for name, cell in row.items() if not _is_missing(cell)]
    if len(cells) != 1 or cells[0][0] not in ("image", "pixels"):
        names = ", ".join(str(name) for name, _ in cells) or "neither"
        raise ValueError(f"each row must have either image (base64) or pixels (array); got {names}")
    name, cell = cells[0]
    if name == "image":
        return [_decode(text) for text in np.ravel(np.asarray(cell, dtype=object))]
    pixels = _read_pixels(cell)
    return list(pixels) if pixels.ndim == 4 else [pixels]


def _split_rows(table: Any) -> list[dict]:
    columns = table.get("columns") if isinstance(table, dict) else None
    rows = table.get("data") if isinstance(table, dict) else None
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise ValueError("dataframe_split must be an object with the lists columns and data")
    if not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        raise ValueError(f"each row of data must be a list of {len(columns)}, as columns has names")
    names = [str(name) for name in columns]
    return [dict(zip(names, row, strict=True)) for row in rows]


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
