"""Section 13.5 of the book: anchors of one size on maps of 4 x 4, 2 x 2 and 1 x 1 cells."""

import numpy as np
import pytest
from keras import ops

from zoo import d2l

PICTURE = np.array([728, 561, 728, 561])  # display_anchors draws on the dog and the cat


def anchors(cells, size):
    data = np.zeros((1, 10, cells, cells))
    return ops.convert_to_numpy(d2l.multibox_prior(data, sizes=[size], ratios=[1, 2, 0.5]))[0]


@pytest.mark.parametrize(("cells", "size"), [(4, 0.15), (2, 0.4), (1, 0.8)])
def test_three_anchors_sit_in_the_middle_of_every_cell(cells, size):
    boxes = anchors(cells, size).reshape(cells, cells, 3, 4)
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    steps = (np.arange(cells) + 0.5) / cells
    expected = np.stack(np.meshgrid(steps, steps), axis=-1)[:, :, None]
    np.testing.assert_allclose(centres, np.broadcast_to(expected, centres.shape), atol=1e-6)


@pytest.mark.parametrize(("cells", "size"), [(4, 0.15), (2, 0.4), (1, 0.8)])
def test_their_sizes_are_those_of_the_three_ratios(cells, size):
    boxes = anchors(cells, size)[:3]
    root = np.sqrt(2)
    expected = [[size, size], [size * root, size / root], [size / root, size * root]]
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], expected, atol=1e-6)


def test_four_by_four_anchors_do_not_overlap_their_neighbours():
    # "For ease of display", the book chooses .15 so that anchors of different centres are apart.
    squares = anchors(4, 0.15)[::3] * PICTURE
    iou = ops.convert_to_numpy(d2l.box_iou(squares, squares))
    np.testing.assert_allclose(iou, np.eye(16), atol=1e-6)
