"""Weights that are a pure function of their PyTorch name and shape, so that two programs that never
met compute with the same. NumPy and hashlib alone: another environment imports this file too.
"""

import hashlib
import math
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parent / "fixtures"
# Layers whose answers are kept small: scores that are all 1 would rank by rounding errors.
PREDICTORS = {
    "rpn.head.cls_logits": 0.06,
    "cls_score": 0.06,
    "bbox_pred": 0.06,
    "classification_head": 0.01,  # SSD300's pixels are 0..255
    "regression_head": 0.003,
}


def pure_weight(name, shape):
    """Return the float32 tensor of a PyTorch name: He-scaled kernels, batch norms near identity."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    rng = np.random.default_rng(seed)
    last = name.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return np.zeros(shape, "int64")
    if last == "running_var":
        return rng.uniform(0.8, 1.2, shape).astype("float32")
    if last == "running_mean":
        return rng.uniform(-0.1, 0.1, shape).astype("float32")
    if len(shape) > 1:
        scale = math.sqrt(2.0 / math.prod(shape[1:]))
        scale *= math.prod(factor for layer, factor in PREDICTORS.items() if layer in name)
        return rng.normal(0.0, scale, shape).astype("float32")
    if last == "weight":  # of a batch norm
        return rng.uniform(0.6, 1.0, shape).astype("float32")
    return rng.uniform(-0.1, 0.1, shape).astype("float32")


def pure_state(shapes):
    """Return the state dict of {name: shape}."""
    return {name: pure_weight(name, tuple(shape)) for name, shape in shapes.items()}


def pure_pictures(count, height, width):
    """Return (count, height, width, 3) float32 of about normalised pictures' scale."""
    rng = np.random.default_rng(20261125)
    return rng.normal(size=(count, height, width, 3)).astype("float32")


def pure_photograph(side):
    """Return (side, side, 3) uint8, eight coloured squares a row."""
    colours = np.random.default_rng(7).integers(0, 256, (8, 8, 3)).astype("uint8")
    square = -(-side // 8)
    return np.kron(colours, np.ones((square, square, 1), "uint8"))[:side, :side]


def pure_rois():
    """Return (1, 5, 4) float32 regions, xyxy fractions, from tiny ones to the whole picture."""
    corners = [[0.1, 0.2, 0.15, 0.3], [0.3, 0.3, 0.6, 0.5], [0, 0, 1, 1], [0.5, 0.1, 0.9, 0.95]]
    return np.array([[*corners, [0.71, 0.63, 0.98, 0.91]]], "float32")


def sample(level, cells=6):
    """Return a few cells and channels from all over a channels-last level."""
    rows = np.linspace(0, level.shape[1] - 1, min(cells, level.shape[1])).round().astype(int)
    columns = np.linspace(0, level.shape[2] - 1, min(cells, level.shape[2])).round().astype(int)
    channels = np.linspace(0, level.shape[3] - 1, min(8, level.shape[3])).round().astype(int)
    return level[:, rows][:, :, columns][..., channels]


def read_fixture(name):
    """Return a model's state dict, and samples of what torchvision computes with it."""
    with np.load(FIXTURES / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    rows = [line.split(" ") for line in str(arrays.pop("state")).splitlines()]
    shapes = {row[0]: [int(side) for side in row[1:] if side] for row in rows}
    return pure_state(shapes), arrays
