import numpy as np
import pytest
from compilation import compiled, gradient
from keras import ops
from roi_reference import align, odd_rois

from zoo.ops import roi_align, roi_matrices


@pytest.mark.parametrize("most", [3, 5])
def test_chunks_of_unequal_length_join(most, monkeypatch):
    # 17 RoIs: 6 chunks of 3 or 4 of 5, the last of which is short. A strip has 3 * 9 * 2 numbers.
    monkeypatch.setattr(roi_matrices, "STRIPS", 2 * most * 3 * 9 * 2)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 6, 9, 2)).astype("float32")
    rois = odd_rois(rng, 2, 6, 9)
    crops = compiled(lambda f: roi_align(f, rois, (3, 2)))(ops.convert_to_tensor(features))
    expected = align(features, rois, (3, 2), 1.0, 2, True)
    np.testing.assert_allclose(ops.convert_to_numpy(crops), expected, atol=3e-5)
    # What is linear in the map is its gradient's product with it.
    slope = gradient(compiled(lambda f: roi_align(f, rois, (3, 2))), features)
    np.testing.assert_allclose((slope * features).sum(), expected.sum(), rtol=1e-4)


def test_no_product_is_larger_than_a_chunk(monkeypatch):
    monkeypatch.setattr(roi_matrices, "STRIPS", 1 << 13)
    sizes, matmul = [], ops.matmul

    def watched(a, b):
        product = matmul(a, b)
        sizes.append(np.prod(product.shape))
        return product

    monkeypatch.setattr(ops, "matmul", watched)
    rois = np.tile(np.float32([1, 1, 7, 7]), (2, 60, 1))
    features = np.ones((2, 10, 10, 8), "float32")
    gradient(compiled(lambda f: roi_align(f, rois, 7)), features)
    assert 0 < max(sizes) <= 1 << 13  # all strips of the 120 RoIs are 67,200 numbers


def test_the_gradient_of_many_chunks_keeps_its_bits(monkeypatch):
    # Each RoI adds 1 to the only cell's; beyond 256 a bfloat16 does not change by 1.
    monkeypatch.setattr(roi_matrices, "STRIPS", 1)
    rois = np.tile(np.float32([0, 0, 1, 1]), (1, 600, 1))

    def crops(features):
        return roi_align(ops.cast(features, "bfloat16"), rois, 1)

    slope = gradient(compiled(crops), [[[[1.0]]]])
    np.testing.assert_array_equal(slope, [[[[600.0]]]])
