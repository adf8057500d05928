"""Section 13.9 of the book: from coloured masks to class indices, and the joint random crop."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo import d2l
from zoo.colormaps import VOID_COLOR


def test_coloured_mask_becomes_the_books_indices():
    mask = np.zeros((10, 10, 3), np.uint8)
    mask[4:, 6:] = (128, 0, 0)
    mask[0, 0], mask[0, 1], mask[0, 2] = (0, 64, 128), VOID_COLOR, (1, 2, 3)
    found = d2l.voc_label_indices(np.moveaxis(mask, -1, 0), d2l.voc_colormap2label())
    expected = np.zeros((10, 10), int)
    expected[4:, 6:] = 1
    expected[0, 0] = 20  # tv/monitor; void and unknown colours are background, as the book has it
    np.testing.assert_array_equal(ops.convert_to_numpy(found), expected)


def test_table_of_colours_has_the_books_entries():
    table = ops.convert_to_numpy(d2l.voc_colormap2label())
    assert table.shape == (256**3,)
    assert table[(192 * 256 + 128) * 256 + 128] == 15  # person
    assert np.count_nonzero(table) == 20


def test_picture_and_mask_are_cut_alike_within_the_picture():
    keras.utils.set_random_seed(0)
    rows, columns = np.mgrid[:9, :12].astype(np.float32)
    picture = np.stack([rows, columns, rows])
    corners = set()
    for _ in range(40):
        feature, label = d2l.voc_rand_crop(picture, picture[:1], 4, 8)
        assert feature.shape == (3, 4, 8)
        np.testing.assert_array_equal(feature[:1], label)
        np.testing.assert_array_equal(np.diff(feature[1], axis=1), 1)
        corners.add((int(feature[0, 0, 0]), int(feature[1, 0, 0])))
    assert {top for top, _ in corners} == set(range(6))
    assert {left for _, left in corners} == set(range(5))


def test_crop_larger_than_the_picture_is_refused():
    with pytest.raises(ValueError, match="got 4x13 of 9x12"):
        d2l.voc_rand_crop(np.zeros((3, 9, 12)), np.zeros((3, 9, 12)), 4, 13)
