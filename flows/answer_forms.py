"""What a served model answers, by its kind: how its task is asked, and the answer as plain data.

An answer is a dict a picture.

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

Imports neither Keras nor zoo nor MLflow: servers that compute nothing look up parameters here.
"""

import base64
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class AnswerForm:
    """How models of a kind are asked, and what becomes of their results.

    Args:
        ask: (task, pictures, **options of the task's method) -> a result a picture.
        plain: (result, parameters) -> plain data.
        defaults: the parameters; one whose default is an int is a whole number.
        in_batches: whether `ask` takes `batch_size`.
    """

    ask: Callable[..., list]
    plain: Callable[[Any, Parameters], dict[str, Any]]
    defaults: Parameters = field(default_factory=dict)
    in_batches: bool = True

    def answers(self, task, pictures: list, parameters: Parameters) -> list[dict[str, Any]]:
        """Return the answer of each picture.

        Raises:
            ValueError: a picture cannot be read, or a parameter is out of its range.
        """
        settled = self.settle(parameters)
        return [self.plain(result, settled) for result in self.ask(task, pictures)]

    def settle(self, given: Parameters) -> dict[str, Any]:
        """Return all parameters: what is given of them, and the defaults.

        Raises:
            ValueError: one is no number, or out of its range.
        """
        known = {name: value for name, value in given.items() if name in self.defaults}
        for name, value in known.items():
            _check(name, value, whole=isinstance(self.defaults[name], int))
        return {**self.defaults, **known}


def _check(name: str, value: Any, *, whole: bool) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or (whole and value != int(value)):
        raise ValueError(f"{name} must be a {'whole ' if whole else ''}number; got {value!r}")
    if whole and value < 1:
        raise ValueError(f"{name} must be at least 1; got {value}")


def _detect(task, pictures: list, **options) -> list:
    return task.detect(pictures, **options)


def _of_objects(found, parameters: Parameters) -> dict[str, Any]:
    detections = found.above(parameters["min_score"])
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


def _segment(task, pictures: list, **options) -> list:
    return task.segment(pictures, **options)


def _of_pixels(segmentation, parameters: Parameters) -> dict[str, Any]:
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


def _classify(task, pictures: list, **options) -> list:
    return task.classify(pictures, **options)


def _of_picture(found, parameters: Parameters) -> dict[str, Any]:
    count = int(parameters["top_k"])
    best = np.argsort(-found.probabilities, kind="stable")[:count].tolist()
    return {
        "labels": best,
        "names": [found.name(label) for label in best],
        "probabilities": found.probabilities[best].tolist(),
    }


def _stylize(task, pictures: list) -> list:
    return task.stylize(pictures)


def _of_painting(painted: np.ndarray, parameters: Parameters) -> dict[str, Any]:
    return {"picture": _png(Image.fromarray(painted))}


def _png(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


FORMS = {
    "detection": AnswerForm(_detect, _of_objects, {"min_score": 0.0}),
    "segmentation": AnswerForm(_segment, _of_pixels),
    "classification": AnswerForm(_classify, _of_picture, {"top_k": 5}),
    "style": AnswerForm(_stylize, _of_painting, in_batches=False),
}
