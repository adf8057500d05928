import numpy as np
import pytest
from compilation import compiled
from keras import ops

from zoo.ops.ranking import top_k


def best(scores, k):
    """Return NumPy's own answer: a stable sort, the best first."""
    places = np.argsort(-scores, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(scores, places, -1), places


@pytest.mark.parametrize("k", [1, 7, 40, 300])
def test_of_equals_the_first_come_first(k):
    rng = np.random.default_rng(k)
    scores = np.float32(rng.integers(0, 5, (2, 3, 300)) / 4)  # sixty of each
    scores[0, 0] = 1
    scores[1, 1, 20:] = -np.inf
    values, places = (ops.convert_to_numpy(a) for a in compiled(lambda s: top_k(s, k))(scores))
    expected, where = best(scores, k)
    np.testing.assert_array_equal(places, where)
    np.testing.assert_array_equal(values, expected)
    assert places.dtype == np.int32


def test_scores_that_are_no_numbers_stay_within_bounds():
    _, places = top_k(np.float32([[np.nan, 1, np.nan, 0, 2]]), 3)
    places = ops.convert_to_numpy(places)[0]
    assert len(set(places.tolist())) == 3
    assert ((places >= 0) & (places < 5)).all()
