import sys

import numpy as np
import pytest
from compilation import compiled
from keras import ops
from roi_reference import WILD, align, odd_rois

from zoo.ops import crop_masks

MODULE = sys.modules[crop_masks.__module__]


def run(masks, rois, matches, size):
    quick = compiled(lambda m, r, k: crop_masks(m, r, k, size))
    return ops.convert_to_numpy(quick(*map(ops.convert_to_tensor, (masks, rois, matches))))


@pytest.mark.parametrize("cells", [1, 3 * 20 * 26])
def test_it_is_the_loop_with_as_many_samples_as_cells(cells, monkeypatch):
    monkeypatch.setattr(MODULE, "CHUNK_CELLS", cells)
    rng = np.random.default_rng(0)
    masks, pixels = rng.random((2, 3, 20, 26)) > 0.5, odd_rois(rng, 2, 20, 26)
    matches = rng.integers(-1, 3, pixels.shape[:2]).astype("int32")
    crops = run(masks, pixels / np.float32([26, 20, 26, 20]), matches, (4, 5))
    assert crops.dtype == "float32"
    for b, r in np.ndindex(*matches.shape):
        mask = masks[b, max(matches[b, r], 0)].astype("float32")[None, ..., None]
        expected = align(mask, pixels[b : b + 1, r : r + 1], (4, 5), 1.0, 0, False)[0, 0, ..., 0]
        np.testing.assert_allclose(crops[b, r], expected, atol=1e-5)


def test_a_roi_inside_its_object_is_all_ones():
    masks = np.zeros((1, 2, 32, 32), bool)
    masks[0, 1, 8:24, 4:28] = True
    crops = run(masks, np.float32([[[0.25, 0.375, 0.75, 0.625]]]), np.int32([[1]]), 28)
    np.testing.assert_array_equal(crops, np.ones((1, 1, 28, 28)))


def test_wild_rois_give_values_between_zero_and_one():
    crops = run(np.ones((1, 1, 8, 9), bool), WILD[None], np.zeros((1, len(WILD)), "int32"), 3)
    assert ((crops >= 0) & (crops <= 1 + 1e-6)).all()


def test_masks_with_a_channel_axis_are_refused():
    with pytest.raises(ValueError, match="Have the masks a channel axis"):
        crop_masks(np.zeros((1, 2, 8, 8, 1)), np.zeros((1, 3, 4)), np.zeros((1, 3)), 28)
