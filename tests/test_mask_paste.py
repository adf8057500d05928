"""Masks into pictures, against a loop over pixels."""

import numpy as np
import pytest

from zoo.mask_paste import paste_masks

pytestmark = pytest.mark.any_backend


def pasted_pixel(mask, box, y, x):
    """Probability of one pixel, from the rules as torchvision has them."""
    framed, cells = np.pad(mask, 1), len(mask) + 2
    grow = cells / len(mask)
    value = []
    for place, low, high in ((y, box[1], box[3]), (x, box[0], box[2])):
        centre, half = (low + high) / 2, (high - low) / 2 * grow
        start, end = int(centre - half), int(centre + half)
        length = max(end - start + 1, 1)
        if not start <= place <= end:
            return 0.0
        source = min(max((place - start + 0.5) * cells / length - 0.5, 0.0), cells - 1.0)
        value.append((int(source), min(int(source) + 1, cells - 1), source - int(source)))
    (top, bottom, down), (left, right, across) = value
    upper = framed[top, left] * (1 - across) + framed[top, right] * across
    lower = framed[bottom, left] * (1 - across) + framed[bottom, right] * across
    return upper * (1 - down) + lower * down


def test_it_is_the_loop_over_pixels():
    rng = np.random.default_rng(0)
    boxes = np.float32(
        [[3, 4, 15, 12], [-5.5, -6, 9, 30], [10.2, 8.7, 40, 50], [5, 5, 5, 5], [-90, -80, 120, 99]]
    )
    masks = rng.random((len(boxes), 6, 6)).astype("float32")
    pasted = paste_masks(masks, boxes, (20, 24))
    for k, y, x in np.ndindex(*pasted.shape):
        expected = pasted_pixel(masks[k], boxes[k].astype(float), y, x)
        # float32 against float64: a pixel within 1e-5 of the threshold may go either way.
        assert pasted[k, y, x] == (expected > 0.5) or abs(expected - 0.5) < 1e-5


def test_a_full_mask_fills_its_box():
    pasted = paste_masks(np.ones((1, 28, 28)), [[10, 20, 38, 48]], (64, 64))
    expected = np.zeros((64, 64), bool)
    # The ring of zeros fades over one cell, here a pixel, so that half of it falls to the box.
    expected[20:49, 10:39] = True
    assert np.abs(pasted[0].sum() - expected.sum()) <= 4 * 29
    assert pasted[0][21:47, 11:37].all()
    assert not pasted[0][~np.pad(expected, 1)[1:-1, 1:-1]].any()


def test_boxes_outside_or_not_finite_are_empty():
    boxes = [[-200, -200, -100, -100], [500, 500, 600, 600], [np.nan, 0, 1, 1], [0, 0, np.inf, 1]]
    assert not paste_masks(np.ones((4, 5, 5)), boxes, (20, 30)).any()


def test_no_masks_give_none():
    assert paste_masks(np.zeros((0, 28, 28)), np.zeros((0, 4)), (20, 30)).shape == (0, 20, 30)


def test_a_class_axis_is_refused():
    with pytest.raises(ValueError, match="Is the class axis still there"):
        paste_masks(np.zeros((2, 28, 28, 3)), np.zeros((2, 4)), (20, 30))
