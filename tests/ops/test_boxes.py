import keras
import numpy as np
import pytest
from keras import ops

from zoo.ops import box_area, clip_boxes, convert_boxes

# One box, 2 wide and 5 high, written in every format by hand.
FORMS = {
    "xyxy": [1.0, 2.0, 3.0, 7.0],
    "xywh": [1.0, 2.0, 2.0, 5.0],
    "cxcywh": [2.0, 4.5, 2.0, 5.0],
    "yxyx": [2.0, 1.0, 7.0, 3.0],
}


@pytest.mark.parametrize("source", FORMS)
@pytest.mark.parametrize("target", FORMS)
def test_every_format_converts_into_every_other(source, target):
    boxes = np.broadcast_to(np.float32(FORMS[source]), (2, 3, 4))
    converted = ops.convert_to_numpy(convert_boxes(boxes, source, target))
    np.testing.assert_array_equal(converted, np.broadcast_to(FORMS[target], (2, 3, 4)))


def test_bfloat16_boxes_come_back_as_float32():
    boxes = ops.cast([[0.0, 0.0, 0.5, 0.5]], "bfloat16")
    converted = convert_boxes(boxes, "xyxy", "cxcywh")
    assert keras.backend.standardize_dtype(converted.dtype) == "float32"


def test_unknown_format_is_refused_with_the_near_name():
    with pytest.raises(ValueError, match=r"got 'xyhw'\. Did you mean 'xywh'\?"):
        convert_boxes([[0, 0, 1, 1]], "xyxy", "xyhw")


def test_a_class_column_left_in_is_named_as_the_likely_cause():
    with pytest.raises(ValueError, match=r"got \(2, 8, 5\)\. Did you leave the class column in\?"):
        convert_boxes(np.zeros((2, 8, 5)), "xyxy", "xywh")


def test_area_of_empty_and_inverted_boxes_is_zero():
    boxes = [[0, 0, 2, 3], [1, 1, 1, 4], [3, 3, 1, 1], [-1, -1, -1, -1]]
    np.testing.assert_array_equal(ops.convert_to_numpy(box_area(boxes)), [6, 0, 0, 0])


def test_clipping_keeps_boxes_within_the_picture():
    boxes = [[-1, -2, 5, 6], [7, 1, 9, 2]]
    clipped = ops.convert_to_numpy(clip_boxes(boxes, height=4, width=3))
    np.testing.assert_array_equal(clipped, [[0, 0, 3, 4], [3, 1, 3, 2]])


def test_clipping_takes_a_size_per_picture():
    boxes = np.tile(np.float32([0, 0, 9, 9]), (2, 1, 1))
    clipped = clip_boxes(boxes, height=np.array([[4], [5]]), width=np.array([[6], [7]]))
    np.testing.assert_array_equal(ops.convert_to_numpy(clipped), [[[0, 0, 6, 4]], [[0, 0, 7, 5]]])
