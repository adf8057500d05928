"""Whether an exported program answers as its model does, output by output.

Both have seen the same network inputs, so what differs is arithmetic: the order of sums, and which
of two candidates that all but tie is kept. Letters: I pictures, K detections, (H, W) the input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flows.agreement import MIN_SCORE, agreement

SAME_SHARE = 0.98  # of detections, or of pixels, that must be the same
SAME_PROBABILITY = 1e-3
SAME_MASK = 0.02  # mean difference of the probabilities of a mask's pixels
SAME_LEVEL = 1.0  # of 255, mean difference of painted pixels


@dataclass(frozen=True)
class Agreement:
    """How alike two answers are.

    Attributes:
        same: whether they count as the same.
        compared: how many detections, pixels or probabilities there were to compare; where it is
            0 nothing is shown.
        told: the figures, in a line.
    """

    same: bool
    compared: int
    told: str


def compare(
    kind: str,
    expected: Mapping[str, np.ndarray],
    found: Mapping[str, np.ndarray],
    size: Sequence[int],
) -> Agreement:
    """Compare the outputs of a program with those of its model.

    Args:
        kind: of the model.
        expected, found: name -> rows of I pictures.
        size: (H, W) of the network's input.
    """
    for name, rows in expected.items():
        if found[name].shape != rows.shape:
            told = f"{name} has the shape {found[name].shape} instead of {rows.shape}"
            return Agreement(False, 0, told)
    if kind == "detection":
        return _compare_detections(expected, found, size)
    return _COMPARED[kind](expected, found)


def _compare_detections(expected, found, size) -> Agreement:
    ours, theirs = (_rows(outputs, size) for outputs in (expected, found))
    least = _least_score(ours)
    share = agreement(ours, theirs, min_score=least)
    count = sum(row["score"] >= least for row in ours)
    told = f"{share:.1%} of {count} detections that score {least:.2g} or more are the same"
    if "masks" not in expected:
        return Agreement(share >= SAME_SHARE, count, told)
    alike = expected["labels"] == found["labels"]
    counts = alike & (expected["scores"] >= least) & (found["scores"] >= least)
    differences = np.abs(expected["masks"] - found["masks"])[counts]
    worst = float(differences.mean(axis=(1, 2)).max()) if counts.any() else 0.0
    told += f", their masks differ by {worst:.2g} on average at most"
    return Agreement(share >= SAME_SHARE and worst <= SAME_MASK, count, told)


def _least_score(rows: Sequence[Mapping]) -> float:
    """Return from which score detections count; of an unsure model, half of its best."""
    best = max((row["score"] for row in rows), default=0.0)
    return MIN_SCORE if best >= MIN_SCORE or best == 0 else best / 2


def _rows(outputs: Mapping[str, np.ndarray], size: Sequence[int]) -> list[dict]:
    """Return detections as rows of COCO results, in pixels of the network's input."""
    pixels = outputs["boxes"] * np.array([size[1], size[0]] * 2)
    boxes = np.concatenate([pixels[..., :2], pixels[..., 2:] - pixels[..., :2]], axis=-1)
    return [
        {
            "image_id": picture,
            "category_id": int(outputs["labels"][picture, row]),
            "score": float(outputs["scores"][picture, row]),
            "bbox": boxes[picture, row].tolist(),
        }
        for picture, num in enumerate(outputs["num"])
        for row in range(int(num))
    ]


def _compare_pixels(expected, found) -> Agreement:
    share = float((expected["classes"] == found["classes"]).mean())
    worst = float(np.abs(expected["scores"] - found["scores"]).max())
    told = f"{share:.2%} of the pixels have the same class, scores differ by {worst:.2g} at most"
    return Agreement(share >= SAME_SHARE, expected["classes"].size, told)


def _compare_probabilities(expected, found) -> Agreement:
    worst = float(np.abs(expected["probabilities"] - found["probabilities"]).max())
    told = f"probabilities differ by {worst:.2g} at most"
    return Agreement(worst <= SAME_PROBABILITY, expected["probabilities"].size, told)


def _compare_paintings(expected, found) -> Agreement:
    mean = float(np.abs(expected["painted"] - found["painted"]).mean())
    told = f"painted pixels differ by {mean:.2g} levels of 255 on average"
    return Agreement(mean <= SAME_LEVEL, expected["painted"].size, told)


_COMPARED = {
    "segmentation": _compare_pixels,
    "classification": _compare_probabilities,
    "style": _compare_paintings,
}
