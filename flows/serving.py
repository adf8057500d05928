"""A published detector as MLflow serves it: pictures in a request, detections in the answer.

A request is a table, a row a picture: `image` holds base64 of an encoded picture (JPEG, PNG, ...),
or `pixels` nested lists or an array, (H, W, 3) or (H, W), 0..255; the other one is null or left out
of the whole table. The answer is a list, a dict a picture: `boxes` (K, 4) xyxy in the picture's
pixels, `scores` (K,), `labels` (K,), `names` (K,) and, of a model that draws them, `masks` (K,),
each the `size` [h, w] and the compressed run lengths `counts` that `pycocotools.mask.decode` takes.

    mlflow.pyfunc.load_model("models:/smoke@champion").predict([{"image": base64_text}])
    mlflow models serve -m models:/smoke@champion --env-manager local
    curl 127.0.0.1:5000/invocations -H 'Content-Type: application/json'
         -d '{"dataframe_records": [{"pixels": [[[0, 0, 0], ...]]}], "params": {"min_score": 0.5}}'

Keras is imported when the model is loaded, on the backend that KERAS_BACKEND names, else on the one
that trained the model where it is installed.
"""

import base64
import binascii
import os
import sys
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel
from mlflow.types.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
)

ARTIFACT = "keras"  # the name of the .keras file among the model's artifacts

_RUN_LENGTHS = Object([Property("size", Array(DataType.long)), Property("counts", DataType.string)])
# Rows of pixels are checked here, not by MLflow: its check of each number took 1 s a picture.
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(DataType.string, "image", required=False),
            ColSpec(Array(AnyType()), "pixels", required=False),
        ]
    ),
    outputs=Schema(
        [
            ColSpec(Array(Array(DataType.double)), "boxes"),
            ColSpec(Array(DataType.double), "scores"),
            ColSpec(Array(DataType.long), "labels"),
            ColSpec(Array(DataType.string), "names"),
            ColSpec(Array(_RUN_LENGTHS), "masks", required=False),
        ]
    ),
    params=ParamSchema([ParamSpec("min_score", DataType.double, 0.0)]),
)


class DetectionServer(PythonModel):
    """Answers requests with the detections of the `.keras` file among its artifacts."""

    def load_context(self, context) -> None:
        """Open the file; called once by MLflow."""
        if "keras" not in sys.modules:
            _prepare(context.model_config["backend"])
        import zoo

        self._task = zoo.load(context.artifacts[ARTIFACT])

    def predict(
        self, context, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict]:
        """Detect on every picture of the table.

        Args:
            context: unused.
            model_input: with the columns `image` and `pixels`, one of them in each row.
            params: `min_score` leaves out what scores less.

        Raises:
            MlflowException: a picture cannot be read; the server answers 400 with the reason.
        """
        try:
            pictures = [p for row in model_input.to_dict("records") for p in _read_row(row)]
            found = self._task.detect(pictures) if pictures else []
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        min_score = (params or {}).get("min_score", 0.0)
        return [_answer(detections.above(min_score)) for detections in found]


def _prepare(trained_on: str) -> None:
    from flows.runtime import installed_backends, prepare_process

    choice = os.environ.get("KERAS_BACKEND")
    prepare_process(choice or (trained_on if trained_on in installed_backends() else "auto"))


def _read_row(row: dict) -> list:
    """Return the pictures of a row: one, or all where a request gave its column in one cell."""
    cells = [(name, cell) for name, cell in row.items() if not _is_missing(cell)]
    if len(cells) != 1 or cells[0][0] not in ("image", "pixels"):
        names = ", ".join(name for name, _ in cells) or "neither"
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


def _answer(detections) -> dict[str, list]:
    names = detections.class_names
    answer = {
        "boxes": detections.boxes.tolist(),
        "scores": detections.scores.tolist(),
        "labels": detections.labels.tolist(),
        "names": [names[label] for label in detections.labels] if names else [],
    }
    if detections.run_lengths is not None:
        answer["masks"] = [row["segmentation"] for row in detections.to_coco(0)]
    return answer
