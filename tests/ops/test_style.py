import numpy as np
import pytest
from compilation import compiled, gradient
from keras import ops

from zoo.ops import gram_matrix, total_variation


def gram(features):
    return ops.convert_to_numpy(compiled(gram_matrix)(np.float32(features)))


def variation(images):
    return ops.convert_to_numpy(compiled(total_variation)(images))


def test_gram_matrix_of_two_cells_by_hand():
    # Rows (1, 2) and (3, 4): X^T X = [[1 + 9, 2 + 12], [14, 4 + 16]], over 1 * 2 * 2.
    features = [[[[1, 2], [3, 4]]]]
    np.testing.assert_allclose(gram(features), [[[2.5, 3.5], [3.5, 5]]])


def test_gram_matrix_is_that_of_the_definition():
    features = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    expected = np.einsum("bhwc,bhwd->bcd", features, features) / (3 * 5 * 4)
    np.testing.assert_allclose(gram(features), expected, rtol=1e-5)


def test_gram_matrix_does_not_see_where_things_are():
    features = np.random.default_rng(0).normal(size=(1, 4, 6, 3))
    np.testing.assert_allclose(gram(features[:, ::-1, ::-1]), gram(features), rtol=1e-5)


def test_total_variation_by_hand():
    # Down |3 - 1| + |7 - 2| = 7, right |2 - 1| + |7 - 3| = 5.
    images = np.array([[[[1], [2]], [[3], [7]]], [[[5], [5]], [[5], [5]]]], "uint8")
    np.testing.assert_array_equal(variation(images), [12, 0])


def test_total_variation_of_one_row_is_horizontal_only():
    np.testing.assert_array_equal(variation(np.float32([[[[0], [1], [-1]]]])), [3])


def test_gradient_of_total_variation_is_the_sum_of_signs():
    # In the row 0 1 5 the ends pull with -1 and 1; the middle, 1 - 1, stays.
    slope = gradient(total_variation, [[[[0], [1], [5]]]])
    np.testing.assert_array_equal(slope[0, 0, :, 0], [-1, 0, 1])


@pytest.mark.parametrize("function", [gram_matrix, total_variation])
def test_a_picture_without_batch_axis_is_refused(function):
    with pytest.raises(ValueError, match=r"\(B, H, W, C\); got \(4, 4, 3\). Is the batch axis"):
        function(np.zeros((4, 4, 3), "float32"))
