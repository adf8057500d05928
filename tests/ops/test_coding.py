import math

import numpy as np
import pytest
from compilation import gradient
from keras import ops

from zoo.ops import decode_boxes, encode_boxes

ANCHOR = [[0.0, 0.0, 2.0, 4.0]]  # centre (1, 2), 2 wide, 4 high


def test_deltas_are_shift_and_log_ratio_over_the_variances():
    # Centre (2, 1), 4 wide, 1 high: shift 1/2 and -1/4 of the anchor, ratios 2 and 1/4.
    deltas = ops.convert_to_numpy(encode_boxes([[0.0, 0.5, 4.0, 1.5]], ANCHOR))
    expected = [[5.0, -2.5, math.log(2) / 0.2, math.log(0.25) / 0.2]]
    np.testing.assert_allclose(deltas, expected, rtol=1e-6)


def test_other_variances_scale_the_deltas():
    deltas = encode_boxes([[0.0, 0.5, 4.0, 1.5]], ANCHOR, variances=(1, 1, 1, 1))
    expected = [[0.5, -0.25, math.log(2), math.log(0.25)]]
    np.testing.assert_allclose(ops.convert_to_numpy(deltas), expected, rtol=1e-6)


def test_zero_deltas_decode_to_the_anchor():
    boxes = ops.convert_to_numpy(decode_boxes(np.zeros((5, 1, 4)), ANCHOR))
    np.testing.assert_array_equal(boxes, np.broadcast_to(ANCHOR, (5, 1, 4)))


def test_empty_boxes_have_finite_deltas():
    # The book adds 1e-6 inside the logarithm; here it is a floor, and a mask of 0 can hide it.
    deltas = ops.convert_to_numpy(encode_boxes(np.zeros((3, 4)), np.tile(ANCHOR, (3, 1))))
    assert np.isfinite(deltas).all()
    np.testing.assert_allclose(deltas[0, 2:], math.log(1e-6) / 0.2, rtol=1e-5)


def test_wild_predictions_stay_finite():
    deltas = np.float32([[1e4, -1e4, 1e4, 1e4]])
    assert np.isfinite(ops.convert_to_numpy(decode_boxes(deltas, ANCHOR))).all()
    assert np.isfinite(gradient(lambda x: decode_boxes(x, ANCHOR), deltas)).all()


@pytest.mark.parametrize("variances", [(0.1, 0.1, 0.2), (0.1, 0.1, 0.2, 0)])
def test_broken_variances_are_refused(variances):
    with pytest.raises(ValueError, match="variances must be 4 numbers > 0"):
        encode_boxes(ANCHOR, ANCHOR, variances)
