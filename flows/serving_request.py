"""A request to a model that MLflow serves -> the pictures in it; `flows.request_rows` has the rows.

A request is a table, a row a picture, with the columns `image` and `pixels`.
"""

import numpy as np
import pandas as pd
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Schema

from flows.request_rows import pictures_of

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
    return [picture for row in table.to_dict("records") for picture in pictures_of(row)]
