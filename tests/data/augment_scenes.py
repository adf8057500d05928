"""Pictures whose objects are painted so that pixels tell where a step has moved them.

Shape letters: M boxes with padding.
"""

from functools import cache

import numpy as np
import tensorflow as tf

from zoo.data.augment import build_steps

SIDE, ROWS = 96, 5  # pixels; M
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
GEOMETRY = {
    "flip": {"probability": 1.0},
    "vertical_flip": {"probability": 1.0},
    "random_resized_crop": {},
    "iou_crop": {},
    "expand": {"probability": 1.0},
}
ONE_PICTURE = GEOMETRY | {"photometric": {"probability": 1.0}}


def sample(boxes, labels, pixels=None):
    """Return a sample of painted boxes in pixels, with masks; an object's label is its colour."""
    if pixels is None:
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        for (left, top, right, bottom), label in zip(boxes, labels, strict=True):
            pixels[top:bottom, left:right] = COLOURS[label]
    masks = np.zeros((ROWS, SIDE, SIDE), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=False):
        mask[top:bottom, left:right] = True
    padded = np.zeros((ROWS, 4), np.float32)
    padded[: len(boxes)] = np.reshape(boxes, (-1, 4)) / SIDE
    names = np.full(ROWS, -1, np.int32)
    names[: len(labels)] = labels
    return {
        name: tf.constant(value)
        for name, value in zip(
            ("images", "boxes", "labels", "masks"), (pixels, padded, names, masks), strict=True
        )
    }


def scene(seed):
    """Return a sample of three objects, a colour each, in three quarters of the picture."""
    random = np.random.default_rng(seed)
    corners = np.array([(0, 0), (48, 0), (0, 48), (48, 48)])[random.permutation(4)[:3]]
    starts = corners + random.integers(0, 16, (3, 2))
    ends = np.minimum(starts + random.integers(16, 33, (3, 2)), corners + 48)
    return sample(np.hstack([starts, ends]), random.permutation(3))


def solo(seed, label):
    """Return a sample of one object of a colour."""
    random = np.random.default_rng([seed, label])
    start = random.integers(0, 32, 2)
    return sample([[*start, *(start + random.integers(24, 64, 2))]], [label])


def stacked(samples):
    """Return a group of samples."""
    return {name: tf.stack([one[name] for one in samples]) for name in samples[0]}


def ramp():
    """Return a picture whose red is the column and whose green is the row, doubled."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 2 * np.arange(SIDE), 2 * np.arange(SIDE)[:, None]
    return pixels


def window_of(pixels):
    """Read the window that a crop of `ramp` shows, xyxy in pixels, from its slope."""
    columns, rows = pixels[SIDE // 2, :, 0] / 2.0, pixels[:, SIDE // 2, 1] / 2.0
    edges = []
    for values in (columns, rows):
        first, last = SIDE // 4, 3 * SIDE // 4
        slope = (values[last] - values[first]) / (last - first)
        start = values[first] + 0.5 - slope * (first + 0.5)
        edges.append((start, start + slope * SIDE))
    (left, right), (top, bottom) = edges
    return np.array([left, top, right, bottom])


def run(name, one, seed, **options):
    """Apply a step, compiled once for all samples, and return NumPy."""
    changed = _compiled(name, tuple(options.items()))(one, tf.constant([7, seed], tf.int32))
    return {key: value.numpy() for key, value in changed.items()}


@cache
def _compiled(name, options):
    (step,) = build_steps([{"name": name, **dict(options)}])
    return tf.function(step.apply, reduce_retracing=True)
