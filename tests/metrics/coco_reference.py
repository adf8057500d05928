"""Random splits, and pycocotools called on them as its documentation does: the reference."""

import contextlib
import io
import json

import numpy as np
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from zoo.results import Detections

NAMES = ("ant", "bee", "cat", "dog")
SIDE = 128


def random_split(seed, pictures=12):
    """Return ground truth and predictions with crowds, areas, ties and a class nobody annotated.

    Coordinates are whole, so float32 boxes and the JSON file hold the same numbers.
    """
    rng = np.random.default_rng(seed)
    truth, answers = [], []
    for _ in range(pictures):
        objects = rng.integers(0, 5)
        boxes = random_boxes(rng, objects)
        labels = rng.integers(0, 3, objects)
        truth.append(
            Detections.ground_truth(
                boxes=boxes,
                labels=labels,
                class_names=NAMES,
                crowd=rng.random(objects) < 0.2,
                areas=rng.integers(20, 16000, objects),
                masks=masks_of(boxes),
            )
        )
        near = np.clip(boxes + rng.integers(-6, 7, boxes.shape), 0, SIDE)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        extra = rng.integers(0, 130 if rng.random() < 0.2 else 8)
        found = np.concatenate([near, random_boxes(rng, extra)])
        answers.append(
            Detections(
                boxes=found,
                scores=rng.integers(1, 20, len(found)) / 16,  # many ties, exact in float32
                labels=np.concatenate([labels, rng.integers(0, 4, extra)]),
                class_names=NAMES,
                masks=masks_of(found),
            )
        )
    return truth, answers


def random_boxes(rng, count):
    corners = rng.integers(0, SIDE - 8, (count, 2))
    sides = rng.integers(1, 110, (count, 2))
    return np.concatenate([corners, np.minimum(corners + sides, SIDE)], axis=1)


def masks_of(boxes):
    masks = np.zeros((len(boxes), SIDE, SIDE), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return masks


def run_pycocotools(truth, answers, folder, kind):
    """Score as the COCO documentation does it: an annotation file, a results file, COCOeval."""
    rows, next_id = [], 1
    for image_id, picture in enumerate(truth):
        for (x1, y1, x2, y2), label, crowd, area, mask in zip(
            picture.boxes.tolist(), picture.labels.tolist(), picture.crowd.tolist(),
            picture.areas.tolist(), picture.masks, strict=True,
        ):  # fmt: skip
            rows.append(
                {"id": next_id, "image_id": image_id, "category_id": label + 1, "area": area,
                 "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": int(crowd),
                 "segmentation": run_length_code(mask)}
            )  # fmt: skip
            next_id += 1
    results = []
    for image_id, picture in enumerate(answers):
        for (x1, y1, x2, y2), label, score, mask in zip(
            picture.boxes.tolist(), picture.labels.tolist(), picture.scores.tolist(),
            picture.masks, strict=True,
        ):  # fmt: skip
            region = (
                {"bbox": [x1, y1, x2 - x1, y2 - y1]}
                if kind == "bbox"
                else {"segmentation": run_length_code(mask)}
            )
            results.append(
                {"image_id": image_id, "category_id": label + 1, "score": score} | region
            )
    images = [{"id": i, "height": SIDE, "width": SIDE} for i in range(len(truth))]
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(NAMES)]
    (folder / "truth.json").write_text(
        json.dumps({"images": images, "annotations": rows, "categories": categories})
    )
    (folder / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "truth.json"))
        evaluator = COCOeval(coco, coco.loadRes(str(folder / "results.json")), kind)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator


def run_length_code(mask):
    code = mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": code["size"], "counts": code["counts"].decode()}
