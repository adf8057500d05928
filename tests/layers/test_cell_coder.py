"""The grid of YOLO: whose object it is, and the way there and back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.layers.cell_coder import CellCoder


def encode(grid, boxes, labels):
    targets = CellCoder(grid).encode(np.array([boxes], "float32"), np.array([labels], "int32"))
    return {name: ops.convert_to_numpy(value)[0] for name, value in targets.items()}


def test_the_cell_with_the_centre_has_the_object():
    # Centre (.35, .8) in a grid of 4: column 1, row 3, cell 13; it lies .4 and .2 into the cell.
    targets = encode(4, [[0.25, 0.6, 0.45, 1.0]], [2])
    assert targets["objects"].nonzero()[0].tolist() == [13]
    assert targets["classes"][13] == 2
    np.testing.assert_allclose(
        targets["cell_boxes"][13], [0.4, 0.2, np.sqrt(0.2), np.sqrt(0.4)], atol=1e-5
    )


def test_of_two_objects_in_a_cell_the_first_is_kept():
    targets = encode(2, [[0.1, 0.1, 0.3, 0.3], [0.0, 0.0, 0.4, 0.4]], [1, 2])
    assert targets["objects"].tolist() == [True, False, False, False]
    assert targets["classes"][0] == 1


def test_padding_has_no_cell():
    targets = encode(2, [[0.1, 0.1, 0.3, 0.3], [0, 0, 0, 0]], [-1, -1])
    assert not targets["objects"].any()
    assert not targets["cell_boxes"].any()


def test_a_centre_on_the_far_edge_lies_in_the_last_cell():
    targets = encode(3, [[0.9, 0.9, 1.1, 1.1]], [0])
    assert targets["objects"].nonzero()[0].tolist() == [8]


@settings(max_examples=25, deadline=None)
@given(
    grid=st.sampled_from([1, 3, 7, 14]),  # each is compiled
    x=st.floats(0, 0.99),
    y=st.floats(0, 0.99),
    width=st.floats(0.01, 1),
    height=st.floats(0.01, 1),
)
def test_decoding_gives_the_box_back(grid, x, y, width, height):
    box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    targets = encode(grid, [box], [0])
    boxes = CellCoder(grid).decode(targets["cell_boxes"][None, :, None])
    (cell,) = targets["objects"].nonzero()[0]
    np.testing.assert_allclose(ops.convert_to_numpy(boxes)[0, cell, 0], box, atol=1e-5)


def test_a_negative_root_is_no_side():
    boxes = CellCoder(1).decode(np.array([[[[0.5, 0.5, -0.9, 0.5]]]], "float32"))
    np.testing.assert_allclose(ops.convert_to_numpy(boxes)[0, 0, 0], [0.5, 0.375, 0.5, 0.625])
