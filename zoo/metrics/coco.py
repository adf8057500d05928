"""Lists of Detections as pycocotools wants them: the one place that talks to it.

pycocotools decides everything that is easy to get subtly wrong: crowds, area ranges, detections a
picture, ties. Nothing of it is reimplemented here.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence

import numpy as np
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from zoo.results import Detections, xywh

# In the order of COCOeval.stats.
COCO_METRICS = (
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar_1",
    "ar_10",
    "ar_100",
    "ar_small",
    "ar_medium",
    "ar_large",
)
KINDS = {"boxes": "bbox", "masks": "segm"}


def match_pictures(
    ground_truth: Sequence[Detections],
    predictions: Sequence[Detections],
    *,
    kind: str = "boxes",
    num_classes: int,
    overlaps: Sequence[float] | None = None,
    most: int | None = None,
) -> COCOeval:
    """Match every picture's predictions to its objects.

    Args:
        ground_truth, predictions: one Detections a picture, in the same order.
        kind: what is compared, "boxes" or "masks".
        num_classes: categories 0..num_classes-1, listed whether or not they occur.
        most: detections of a class and a picture that count, the best ones; None: COCO's 100.
        overlaps: IoUs from which on a prediction matches; None: COCO's, .5 to .95.
    Returns: the COCOeval after `evaluate()`; `evalImgs` holds the matches.
    """
    truth_rows, answer_rows = [], []
    for image_id, (truth, answer) in enumerate(zip(ground_truth, predictions, strict=True)):
        truth_rows += _truth_rows(truth, image_id, kind)
        answer_rows += _rows(answer, image_id, kind)
    count = len(ground_truth)
    with quiet():
        evaluator = COCOeval(
            _index(truth_rows, count, num_classes),
            _index(answer_rows, count, num_classes),
            KINDS[kind],
        )
        if overlaps is not None:
            evaluator.params.iouThrs = np.array(overlaps)
        if most is not None:
            evaluator.params.maxDets = [most]
        evaluator.evaluate()
    return evaluator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what pycocotools prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _index(rows: list[dict], num_pictures: int, num_classes: int) -> COCO:
    """Index the rows; built by hand because `COCO.loadRes` fails on an empty list."""
    coco = COCO()
    coco.dataset = {
        # annToRLE looks the picture's size up and needs it for polygons only.
        "images": [{"id": i, "height": 0, "width": 0} for i in range(num_pictures)],
        "categories": [{"id": label} for label in range(num_classes)],
        # From 1: COCOeval writes the id of the match and reads 0 as "unmatched".
        "annotations": [row | {"id": index} for index, row in enumerate(rows, start=1)],
    }
    coco.createIndex()
    return coco


def _rows(detections: Detections, image_id: int, kind: str) -> list[dict]:
    region = {"boxes": "bbox", "masks": "segmentation"}[kind]
    return [
        {
            "image_id": image_id,
            "category_id": label,
            "score": score,
            region: shape,
            "area": shape[2] * shape[3] if kind == "boxes" else float(mask_utils.area(shape)),
            "iscrowd": 0,
        }
        for label, score, shape in zip(
            detections.labels.tolist(),
            detections.scores.tolist(),
            shapes(detections, kind),
            strict=True,
        )
    ]


def _truth_rows(truth: Detections, image_id: int, kind: str) -> list[dict]:
    rows = _rows(truth, image_id, kind)
    if truth.areas is not None:
        for row, area in zip(rows, truth.areas.tolist(), strict=True):
            row["area"] = area
    if truth.crowd is not None:
        for row, crowd in zip(rows, truth.crowd.tolist(), strict=True):
            row["iscrowd"] = int(crowd)
    return rows


def shapes(detections: Detections, kind: str) -> list:
    """Return K boxes [x, y, width, height], or K run-length codes, for `pycocotools.mask`."""
    if kind == "boxes":
        return xywh(detections.boxes).tolist()
    if detections.run_lengths is not None:
        return detections.run_lengths.to_coco()
    if len(detections):
        raise ValueError(
            'kind="masks" needs masks on every object; got Detections without. '
            'Did you mean kind="boxes"?'
        )
    return []
