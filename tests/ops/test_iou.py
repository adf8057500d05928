import math

import numpy as np
import pytest
from compilation import compiled, gradient
from keras import ops

from zoo.ops import pairwise_iou

KINDS = ("iou", "giou", "diou", "ciou")


def overlap(box1, box2, kind="iou"):
    return float(ops.convert_to_numpy(pairwise_iou([box1], [box2], kind))[0, 0])


# Two squares of side 2, one shifted by (1, 1): intersection 1, union 7; the hull is 3 x 3, the
# centres lie sqrt(2) apart, the hull's diagonal is sqrt(18); the same shape, so CIoU = DIoU.
@pytest.mark.parametrize(
    ("kind", "value"),
    [("iou", 1 / 7), ("giou", 1 / 7 - 2 / 9), ("diou", 1 / 7 - 2 / 18), ("ciou", 1 / 7 - 2 / 18)],
)
def test_overlap_of_shifted_squares(kind, value):
    # A few float32 roundings of numbers near 1.
    assert overlap([0, 0, 2, 2], [1, 1, 3, 3], kind) == pytest.approx(value, abs=3e-7)


def test_ciou_penalises_another_shape():
    # 2 x 1 against 1 x 2 from the same corner: intersection 1, union 3, centres at distance^2 0.5,
    # hull 2 x 2 with diagonal^2 8, angles arctan 2 and arctan 1/2.
    v = 4 / math.pi**2 * (math.atan(2) - math.atan(0.5)) ** 2
    expected = 1 / 3 - 0.5 / 8 - v / (1 - 1 / 3 + v) * v
    assert overlap([0, 0, 2, 1], [0, 0, 1, 2], "ciou") == pytest.approx(expected, abs=3e-7)


def test_giou_of_distant_boxes_is_negative():
    # Unit squares with a gap of 2: hull 4, union 2, so 0 - (4 - 2) / 4.
    assert overlap([0, 0, 1, 1], [3, 0, 4, 1], "giou") == pytest.approx(-0.5)


def test_iou_of_touching_boxes_is_zero():
    assert overlap([0, 0, 1, 1], [1, 0, 2, 1]) == 0


@pytest.mark.parametrize("other", [[0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0]])
def test_iou_with_an_empty_box_is_zero(other):
    assert overlap([0.5, 0.5, 0.5, 0.5], other) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_two_points_give_finite_overlap_and_gradient(kind):
    point = [[0.5, 0.5, 0.5, 0.5]]
    assert math.isfinite(overlap(*point, *point, kind))
    assert np.isfinite(gradient(lambda x: pairwise_iou(x, point, kind), point)).all()


def test_giou_pulls_distant_boxes_together():
    # Moving the right edge of the left box towards the other must raise GIoU.
    slope = gradient(lambda x: pairwise_iou(x, [[3.0, 0, 4, 1]], "giou"), [[0.0, 0, 1, 1]])
    assert slope[0, 2] > 0


def test_leading_axes_broadcast():
    anchors, boxes = np.random.default_rng(0).uniform(size=(2, 3, 7, 4)).astype("float32")
    anchors, boxes = np.sort(anchors[0], axis=-1), np.sort(boxes, axis=-1)
    together = ops.convert_to_numpy(pairwise_iou(anchors, boxes))
    assert together.shape == (3, 7, 7)
    alone = ops.convert_to_numpy(pairwise_iou(anchors, boxes[1]))
    np.testing.assert_array_equal(together[1], alone)


def test_compiled_overlap_is_the_eager_one():
    boxes = np.sort(np.random.default_rng(1).uniform(size=(9, 4)).astype("float32"), axis=-1)
    quick = compiled(lambda x: pairwise_iou(x, x, "ciou"))(ops.convert_to_tensor(boxes))
    slow = pairwise_iou(boxes, boxes, "ciou")
    # A compiler may fuse a multiplication and an addition: one rounding fewer.
    np.testing.assert_allclose(ops.convert_to_numpy(quick), ops.convert_to_numpy(slow), atol=1e-5)


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of iou, giou, diou, ciou; got 'siou'"):
        pairwise_iou([[0, 0, 1, 1]], [[0, 0, 1, 1]], "siou")
