"""The numbers of a detector on one split: COCO's twelve, AP per class, VOC 2007's AP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pycocotools.cocoeval import COCOeval

from zoo.metrics.coco import COCO_METRICS, KINDS, match_pictures, quiet
from zoo.metrics.voc import voc07_ap
from zoo.results import Detections


def detection_metrics(
    ground_truth: Sequence[Detections],
    predictions: Sequence[Detections],
    kind: str = "boxes",
    *,
    matches: COCOeval | None = None,
) -> dict:
    """Score predictions as pycocotools does.

    Args:
        ground_truth, predictions: one Detections a picture, in the same order.
        kind: what is compared, "boxes" or "masks".
        matches: of `match_kind` on the same; None: they are matched here.
    Returns: a dict of floats, -1 where nothing of that kind is annotated: ap ap50 ap75 ap_small
        ap_medium ap_large ar_1 ar_10 ar_100 ar_small ar_medium ar_large (COCOeval's), voc07_ap50
        (mean over the annotated classes), and ap_per_class {class name, or str(label): AP}.
    Raises: ValueError if the lists differ in length, the kind is unknown, or masks are missing.
    """
    evaluator = matches or match_kind(ground_truth, predictions, kind)
    names = class_names(ground_truth, predictions)
    with quiet():
        evaluator.accumulate()
        evaluator.summarize()
    metrics: dict = dict(zip(COCO_METRICS, map(float, evaluator.stats), strict=True))
    precision = evaluator.eval["precision"]  # (IoU, recall, class, area, detections a picture)
    metrics["ap_per_class"] = {
        name: _mean_of_present(precision[:, :, label, 0, -1]) for label, name in enumerate(names)
    }
    voc = [voc07_ap(ground_truth, predictions, label, kind=kind) for label in range(len(names))]
    metrics["voc07_ap50"] = _mean_of_present(np.array(voc))
    return metrics


def match_kind(
    ground_truth: Sequence[Detections], predictions: Sequence[Detections], kind: str
) -> COCOeval:
    """Match a split as COCO does, at ten IoUs from .5 on; for those who read matches twice.

    Raises: ValueError if the lists differ in length, the kind is unknown, or masks are missing.
    """
    check_pairs(ground_truth, predictions, kind)
    count = len(class_names(ground_truth, predictions))
    return match_pictures(ground_truth, predictions, kind=kind, num_classes=count)


def metrics_of_kinds(
    ground_truth: Sequence[Detections],
    predictions: Sequence[Detections],
    kinds: Sequence[str],
    *,
    match: Callable[[str], COCOeval | None] = lambda kind: None,
) -> dict:
    """Score boxes and, where they are among the kinds and every picture has them, masks too.

    Args:
        ground_truth, predictions: one Detections a picture, in the same order.
        kinds: a detector's `result_kinds`.
        match: kind -> what `match_kind` gives, where that is known.
    Returns: `detection_metrics` of the boxes; those of the masks beside them as `mask_ap`,
        `mask_ap50`, ..., `mask_ap_per_class`.
    """
    metrics = detection_metrics(ground_truth, predictions, matches=match("boxes"))
    if "masks" in scored_kinds(ground_truth, kinds):
        masks = detection_metrics(ground_truth, predictions, "masks", matches=match("masks"))
        metrics |= {f"mask_{name}": value for name, value in masks.items()}
    return metrics


def scored_kinds(ground_truth: Sequence[Detections], kinds: Sequence[str]) -> list[str]:
    """Return "boxes", and "masks" behind it where they are among the kinds and every picture's."""
    masked = all(len(truth) == 0 or truth.run_lengths is not None for truth in ground_truth)
    return ["boxes", *(["masks"] if "masks" in kinds and masked else [])]


def trivial_detections(count: int, class_names: Sequence[str] = ()) -> list[Detections]:
    """Return what a detector answers that calls everything background: the floor to beat."""
    return [Detections.empty(class_names) for _ in range(count)]


def check_pairs(
    ground_truth: Sequence[Detections], predictions: Sequence[Detections], kind: str
) -> None:
    """Raise ValueError unless the two lists can be compared."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}.")
    if len(ground_truth) != len(predictions):
        raise ValueError(
            f"ground_truth and predictions must hold one Detections a picture; got "
            f"{len(ground_truth)} and {len(predictions)}. Was a picture skipped?"
        )
    if kind == "masks":
        for index, (truth, answer) in enumerate(zip(ground_truth, predictions, strict=True)):
            _check_mask_sizes(truth, answer, index)


def class_names(
    ground_truth: Sequence[Detections], predictions: Sequence[Detections]
) -> tuple[str, ...]:
    """Return the names the Detections carry; a label beyond them is called by its number."""
    everything = [*ground_truth, *predictions]
    names = next((found.class_names for found in everything if found.class_names), ())
    highest = max((int(found.labels.max()) for found in everything if len(found)), default=-1)
    return names + tuple(str(label) for label in range(len(names), highest + 1))


def _check_mask_sizes(truth: Detections, answer: Detections, index: int) -> None:
    """pycocotools would answer IoU -1 for masks of different sizes, without a word."""
    masks = [found.run_lengths for found in (truth, answer)]
    sizes = {one.size for one in masks if one is not None}
    if len(sizes) > 1:
        raise ValueError(
            f"masks of picture {index} must have one size; got {sorted(sizes)}. "
            "Were the predicted masks pasted back into the original picture?"
        )


def _mean_of_present(values: np.ndarray) -> float:
    present = values[values > -1]
    return float(present.mean()) if present.size else -1.0
