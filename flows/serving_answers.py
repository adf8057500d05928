"""What a served model answers, by its kind: its MLflow signature, and how its task is asked.

An answer is a list, a dict a picture.

detection       `boxes` (K, 4) xyxy in the picture's pixels, `scores` (K,), `labels` (K,), `names`
                (K,) and, of a model that draws them, `masks` (K,), each the `size` [h, w] and the
                compressed run lengths `counts` that `pycocotools.mask.decode` takes. The parameter
                `min_score` leaves out what scores less.
segmentation    `class_map`, base64 of a PNG of the picture's size with a palette: a viewer shows
                the data set's colours, and its values (`numpy.asarray(Image.open(...))`) are the
                labels 0..C-1. Of the classes that are there, the largest first: `labels`, `names`,
                `shares` of the pixels, `colors` [red, green, blue].
classification  `labels`, `names` and `probabilities` of the `top_k` most probable classes, a
                parameter, 5 unless told.
style           `picture`, base64 of a PNG of the picture's size.

Imports neither Keras nor zoo: the registry, which computes nothing, looks up signatures here.
"""

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types.schema import (
    Array,
    ColSpec,
    DataType,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
)
from PIL import Image

from flows.serving_request import REQUEST

_TEXT, _WHOLE, _NUMBER = DataType.string, DataType.long, DataType.double
_RUN_LENGTHS = Object([Property("size", Array(_WHOLE)), Property("counts", _TEXT)])


@dataclass(frozen=True)
class ServedKind:
    """How models of a kind are served.

    Args:
        signature: what MLflow keeps and checks requests against.
        ask: (task, pictures, parameters) -> a dict a picture, plain data.
    """

    signature: ModelSignature
    ask: Callable[[Any, list, Mapping[str, Any]], list[dict]]


def _signature(*outputs: ColSpec, params: ParamSchema | None = None) -> ModelSignature:
    # MLflow's annotation lacks the None that is its own default.
    return ModelSignature(REQUEST, Schema(list(outputs)), params)  # type: ignore[arg-type]


def _detections(task, pictures: list, params: Mapping[str, Any]) -> list[dict]:
    found = (one.above(params["min_score"]) for one in task.detect(pictures))
    return [_of_objects(detections) for detections in found]


def _of_objects(detections) -> dict[str, list]:
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


def _class_maps(task, pictures: list, params: Mapping[str, Any]) -> list[dict]:
    return [_of_pixels(segmentation) for segmentation in task.segment(pictures)]


def _of_pixels(segmentation) -> dict[str, Any]:
    shares, colors = segmentation.shares(), segmentation.colors
    class_map = Image.fromarray(segmentation.classes)
    class_map.putpalette(np.array(colors, np.uint8).tobytes())
    return {
        "class_map": _png(class_map),
        "labels": list(shares),
        "names": [segmentation.name(label) for label in shares],
        "shares": list(shares.values()),
        "colors": [list(colors[label]) for label in shares],
    }


def _classes(task, pictures: list, params: Mapping[str, Any]) -> list[dict]:
    count = params["top_k"]
    if count < 1:
        raise ValueError(f"top_k must be at least 1; got {count}")
    return [_of_picture(found, count) for found in task.classify(pictures)]


def _of_picture(found, count: int) -> dict[str, list]:
    best = np.argsort(-found.probabilities, kind="stable")[:count].tolist()
    return {
        "labels": best,
        "names": [found.name(label) for label in best],
        "probabilities": found.probabilities[best].tolist(),
    }


def _paintings(task, pictures: list, params: Mapping[str, Any]) -> list[dict]:
    return [{"picture": _png(Image.fromarray(painted))} for painted in task.stylize(pictures)]


def _png(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


KINDS = {
    "detection": ServedKind(
        _signature(
            ColSpec(Array(Array(_NUMBER)), "boxes"),
            ColSpec(Array(_NUMBER), "scores"),
            ColSpec(Array(_WHOLE), "labels"),
            ColSpec(Array(_TEXT), "names"),
            ColSpec(Array(_RUN_LENGTHS), "masks", required=False),
            params=ParamSchema([ParamSpec("min_score", _NUMBER, 0.0)]),
        ),
        _detections,
    ),
    "segmentation": ServedKind(
        _signature(
            ColSpec(_TEXT, "class_map"),
            ColSpec(Array(_WHOLE), "labels"),
            ColSpec(Array(_TEXT), "names"),
            ColSpec(Array(_NUMBER), "shares"),
            ColSpec(Array(Array(_WHOLE)), "colors"),
        ),
        _class_maps,
    ),
    "classification": ServedKind(
        _signature(
            ColSpec(Array(_WHOLE), "labels"),
            ColSpec(Array(_TEXT), "names"),
            ColSpec(Array(_NUMBER), "probabilities"),
            params=ParamSchema([ParamSpec("top_k", _WHOLE, 5)]),
        ),
        _classes,
    ),
    "style": ServedKind(_signature(ColSpec(_TEXT, "picture")), _paintings),
}
