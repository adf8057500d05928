"""Run lengths of masks: there and back, and as pycocotools takes them."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from zoo.run_lengths import RunLengths

pytestmark = pytest.mark.any_backend

MASKS = np.random.default_rng(0).random((3, 7, 5)) > 0.5


def test_masks_come_back_pixel_for_pixel():
    lengths = RunLengths.encode(MASKS)
    assert (len(lengths), lengths.size) == (3, (7, 5))
    np.testing.assert_array_equal(lengths.decode(), MASKS)


def test_no_masks_keep_their_size():
    assert RunLengths.encode(MASKS[:0]).decode().shape == (0, 7, 5)


def test_masks_are_taken_by_index_and_by_truth():
    lengths = RunLengths.encode(MASKS)
    np.testing.assert_array_equal(lengths.take(np.array([2, 0])).decode(), MASKS[[2, 0]])
    truth = np.array([False, True, False])
    np.testing.assert_array_equal(lengths.take(truth).decode(), MASKS[truth])


def test_a_mask_without_counts_is_empty_for_pycocotools_too():
    lengths = RunLengths((b"", RunLengths.encode(MASKS).counts[0]), (7, 5))
    assert not lengths.decode()[0].any()
    rows = lengths.to_coco()
    assert coco_mask.area(rows).tolist() == [0, MASKS[0].sum()]
    assert coco_mask.iou(rows, rows, [0, 0])[0, 1] == 0


def test_a_mask_without_the_axis_of_objects_is_refused():
    with pytest.raises(ValueError, match=r"masks must be \(K, h, w\).*got \(7, 5\)"):
        RunLengths.encode(MASKS[0])
