import numpy as np
import pytest
from compilation import compiled
from keras import ops

from zoo.ops import batched_nms, nms, suppression


def random_boxes(number, seed=0, batch=()):
    rng = np.random.default_rng(seed)
    centres, sizes = (
        rng.uniform(0, 1, (*batch, number, 2)),
        rng.uniform(0.05, 0.4, (*batch, number, 2)),
    )
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)
    return boxes.astype("float32"), rng.uniform(size=(*batch, number)).astype("float32")


def greedy(boxes, scores, labels, iou_threshold):
    """The textbook's loop in NumPy."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[order, 2:]) - np.maximum(
            boxes[best, :2], boxes[order, :2]
        )
        intersection = np.prod(np.maximum(sides, 0), axis=1)
        iou = intersection / (areas[best] + areas[order] - intersection)
        order = order[~((iou > iou_threshold) & (labels[best] == labels[order]))]
    return kept


def run(function, *arrays, **options):
    """Run compiled: eager JAX would compile each loop anew."""
    quick = compiled(lambda *tensors: function(*tensors, **options))
    return ops.convert_to_numpy(quick(*map(ops.convert_to_tensor, arrays))).tolist()


def padded(kept, length):
    return [int(i) for i in kept[:length]] + [-1] * (length - len(kept))


@pytest.mark.parametrize("max_output", [5, 300])
@pytest.mark.parametrize("iou_threshold", [0.2, 0.7])
def test_nms_is_the_greedy_loop(iou_threshold, max_output):
    boxes, scores = random_boxes(300)
    expected = padded(greedy(boxes, scores, scores * 0, iou_threshold), max_output)
    assert run(nms, boxes, scores, iou_threshold=iou_threshold, max_output=max_output) == expected


def test_many_blocks_and_chunks_change_nothing(monkeypatch):
    monkeypatch.setattr(suppression, "BLOCK", 7)
    monkeypatch.setattr(suppression, "CHUNK", 4)
    boxes, scores = random_boxes(100, seed=1, batch=(3,))
    kept = run(nms, boxes, scores, iou_threshold=0.3, max_output=50)
    for row in range(3):
        expected = greedy(boxes[row], scores[row], scores[row] * 0, 0.3)
        assert kept[row] == padded(expected, 50)


def test_batched_nms_is_the_greedy_loop_within_labels():
    boxes, scores = random_boxes(200, seed=2)
    labels = np.arange(200, dtype="int32") % 3
    expected = padded(greedy(boxes, scores, labels, 0.3), 200)
    assert run(batched_nms, boxes, scores, labels, iou_threshold=0.3, max_output=200) == expected


def test_leading_axes_are_independent_pictures():
    boxes, scores = random_boxes(40, seed=3, batch=(2, 3))
    together = run(nms, boxes, scores, max_output=10)
    assert together[1][2] == run(nms, boxes[1, 2], scores[1, 2], max_output=10)


def test_suppression_is_strict():
    # The second box is the left half of the first: IoU exactly 1/2.
    boxes, scores = np.float32([[0, 0, 2, 1], [0, 0, 1, 1]]), np.float32([0.9, 0.8])
    assert run(nms, boxes, scores, iou_threshold=0.5, max_output=2) == [0, 1]
    assert run(nms, boxes, scores, iou_threshold=0.49, max_output=2) == [0, -1]


def test_equal_scores_favour_the_lower_index():
    boxes, scores = np.tile(np.float32([[0, 0, 1, 1]]), (6, 1)), np.float32([0.5] * 6)
    boxes[[2, 4]] += 5
    assert run(nms, boxes, scores, max_output=3) == [0, 2, -1]


def test_a_box_below_the_score_threshold_neither_stays_nor_suppresses():
    boxes = np.float32([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3]])
    scores = np.float32([0.3, 0.2, 0.1])
    options = {"max_output": 3, "score_threshold": 0.2}
    assert run(nms, boxes, scores, **options) == [0, -1, -1]
    scores[0] = 0.19
    assert run(nms, boxes, scores, **options) == [1, -1, -1]


def test_padding_scores_take_no_part():
    boxes = np.tile(np.float32([[0, 0, 1, 1]]), (3, 1))
    scores = np.float32([np.nan, -np.inf, 0.1])
    assert run(nms, boxes, scores, max_output=2) == [2, -1]


def test_empty_boxes_let_each_other_be():
    boxes = np.float32([[0.5, 0.5, 0.5, 0.5]] * 2 + [[0, 0, 1, 1]])
    assert run(nms, boxes, np.float32([0.9, 0.8, 0.7]), max_output=3) == [0, 1, 2]


def test_bfloat16_boxes_are_compared_in_float32():
    # The IoU is 0.5; in bfloat16 the threshold would round to that.
    boxes = ops.cast([[0, 0, 1, 1], [0, 0, 0.5, 1]], "bfloat16")
    kept = nms(boxes, ops.cast([0.9, 0.8], "bfloat16"), iou_threshold=0.4999, max_output=2)
    assert ops.convert_to_numpy(kept).tolist() == [0, -1]


def test_no_boxes_give_padding():
    kept = nms(np.zeros((2, 0, 4)), np.zeros((2, 0)), max_output=3)
    assert ops.convert_to_numpy(kept).tolist() == [[-1, -1, -1]] * 2


def test_scores_with_a_class_axis_are_refused():
    with pytest.raises(ValueError, match="Do the scores still carry their class axis"):
        nms(np.zeros((10, 4)), np.zeros((10, 3)))
