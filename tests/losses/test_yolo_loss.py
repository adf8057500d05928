"""YOLO's loss against equation 3 of the paper, written as loops."""

import keras
import numpy as np
import pytest
from cases import compiled

from zoo.layers.cell_coder import CellCoder
from zoo.losses.yolo import YOLOLoss

GRID, NUMBER, CLASSES = 3, 2, 2


def scene(seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.6, (2, 3, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (2, 3, 2))], -1)
    labels = np.array([[0, 1, -1], [-1, -1, -1]], "int32")
    cells = GRID * GRID
    outputs = {
        "class_scores": rng.normal(0.5, 0.5, (2, cells, CLASSES)),
        "confidences": rng.normal(0.3, 0.3, (2, cells, NUMBER)),
        "cell_boxes": rng.uniform(0, 1, (2, cells, NUMBER, 4)),
    }
    as_float = {name: value.astype("float32") for name, value in outputs.items()}
    return boxes.astype("float32"), labels, as_float


def area(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def overlap(one, other):
    inner = [
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    ]
    shared = area(inner) if inner[2] > inner[0] and inner[3] > inner[1] else 0
    return shared / (area(one) + area(other) - shared)


def equation_3(boxes, labels, outputs):
    """Return the three sums of a picture, with their weights."""
    box_loss = class_loss = confidence_loss = 0.0
    owners = {}
    for box, label in zip(boxes, labels, strict=True):
        column, row = (int((box[axis] + box[axis + 2]) / 2 * GRID) for axis in (0, 1))
        if label >= 0:
            owners.setdefault(row * GRID + column, (box, label))
    for cell in range(GRID * GRID):
        row, column = divmod(cell, GRID)
        found = []
        for x, y, root_w, root_h in outputs["cell_boxes"][cell]:
            middle = (column + x) / GRID, (row + y) / GRID
            w, h = root_w**2, root_h**2
            found.append(
                [middle[0] - w / 2, middle[1] - h / 2, middle[0] + w / 2, middle[1] + h / 2]
            )
        responsible = None
        if cell in owners:
            box, label = owners[cell]
            ious = [overlap(one, box) for one in found]
            responsible = int(np.argmax(ious))
            wanted = [
                (box[0] + box[2]) / 2 * GRID - column,
                (box[1] + box[3]) / 2 * GRID - row,
                np.sqrt(box[2] - box[0]),
                np.sqrt(box[3] - box[1]),
            ]
            box_loss += 5 * ((outputs["cell_boxes"][cell][responsible] - wanted) ** 2).sum()
            class_loss += ((outputs["class_scores"][cell] - np.eye(CLASSES)[label]) ** 2).sum()
            confidence_loss += (outputs["confidences"][cell][responsible] - max(ious)) ** 2
        for number in range(NUMBER):
            if number != responsible:
                confidence_loss += 0.5 * outputs["confidences"][cell][number] ** 2
    return {"box_loss": box_loss, "class_loss": class_loss, "confidence_loss": confidence_loss}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_the_papers_sum_averaged_over_the_batch(seed):
    boxes, labels, outputs = scene(seed)
    coder = CellCoder(GRID)

    @compiled
    def losses(outputs):
        targets = coder.encode(boxes, labels)
        return YOLOLoss()(targets, outputs, coder.decode(outputs["cell_boxes"]))

    got = losses({name: keras.ops.convert_to_tensor(value) for name, value in outputs.items()})
    pictures = [
        equation_3(boxes[i], labels[i], {name: value[i] for name, value in outputs.items()})
        for i in range(2)
    ]
    for name in got:
        wanted = np.mean([picture[name] for picture in pictures])
        assert float(got[name]) == pytest.approx(wanted, rel=1e-4), name


def test_a_box_that_touches_nothing_is_answered_for_by_the_nearest():
    # One cell; the object is far from both boxes, and nearer to the second.
    coder = CellCoder(1)
    targets = coder.encode(np.array([[[0.8, 0.8, 1.0, 1.0]]], "float32"), np.array([[0]], "int32"))
    outputs = {
        "class_scores": np.zeros((1, 1, 1), "float32"),
        "confidences": np.array([[[0.0, 1.0]]], "float32"),
        "cell_boxes": np.array([[[[0.1, 0.1, 0.1, 0.1], [0.5, 0.5, 0.1, 0.1]]]], "float32"),
    }
    outputs = {name: keras.ops.convert_to_tensor(value) for name, value in outputs.items()}
    losses = YOLOLoss()(targets, outputs, coder.decode(outputs["cell_boxes"]))
    # Responsible: confidence 1 where the IoU is 0. Were it the other: .5 * 1 ** 2.
    assert float(losses["confidence_loss"]) == pytest.approx(1.0)
