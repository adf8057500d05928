"""Proposals through augmentation: they are boxes of no object, behind those of the objects.

Shape letters: M boxes with padding, P proposals.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from zoo.data.augment import Step
from zoo.data.augment.policies import BLIND_TO_BOXES
from zoo.data.proposals import Proposals


def check_steps(steps: Sequence[Step]) -> None:
    """Raise ValueError for a step that proposals cannot follow."""
    for step in steps:
        if step.name not in BLIND_TO_BOXES:
            raise ValueError(
                f"augment must name some of {', '.join(BLIND_TO_BOXES)} where proposals move "
                f"with the pictures; got {step.name}."
            )


def join_proposals(picture: dict, proposals: Proposals, index, size, converter) -> dict:
    """Put a picture's proposals behind its boxes, with the label 0: they move as boxes do.

    Args:
        picture: of M boxes; index: () int64 in stored order; size: (2,) int32 of the stored
            picture; converter: the model's `ImageConverter`.
    """

    def look_up(index, size):
        height, width = map(int, size)
        found = proposals[int(index)]
        frame = converter.frame(height, width)
        moved = converter.to_network(found * np.array([width, height] * 2, np.float32), frame)
        return np.where(found.any(axis=-1, keepdims=True), moved, 0.0).astype(np.float32)

    found = tf.numpy_function(look_up, [index, size], tf.float32)
    found = tf.ensure_shape(found, (proposals.count, 4))
    labels = tf.where(tf.reduce_any(found != 0, axis=-1), 0, -1)
    joined = {
        "boxes": tf.concat([picture["boxes"], found], axis=0),
        "labels": tf.concat([picture["labels"], labels], axis=0),
    }
    if "masks" in picture:
        padding = [[0, proposals.count], [0, 0], [0, 0]]
        joined["masks"] = tf.pad(picture["masks"], padding)
    return picture | joined


def split_proposals(batch: dict, max_boxes: int) -> dict:
    """Take the proposals of a batch from behind its M boxes again."""
    real = {
        name: batch[name][:, :max_boxes] for name in ("boxes", "labels", "masks") if name in batch
    }
    return batch | real | {"proposals": batch["boxes"][:, max_boxes:]}
