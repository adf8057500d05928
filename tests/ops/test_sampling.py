import keras
import numpy as np
from compilation import compiled
from keras import ops

from zoo.ops import balanced_sample, hard_negative_mask


def hard(losses, positives, negatives=None, **options):
    positives = np.asarray(positives, bool)
    negatives = ~positives if negatives is None else np.asarray(negatives)
    mask = hard_negative_mask(np.float32(losses), positives, negatives, **options)
    return ops.convert_to_numpy(mask)


def test_three_negatives_for_each_positive_are_the_hardest():
    mask = hard([[9, 5, 1, 4, 2, 3]], [[1, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(mask, [[0, 1, 0, 1, 0, 1]])


def test_equal_losses_still_give_exactly_the_number():
    mask = hard([[1, 1, 1, 1, 1, 1]], [[0, 0, 1, 0, 0, 0]])
    np.testing.assert_array_equal(mask, [[1, 1, 0, 1, 0, 0]])


def test_too_few_negatives_are_all_taken():
    mask = hard([[1, 2, 3]], [[1, 1, 0]], ratio=5.0)
    np.testing.assert_array_equal(mask, [[0, 0, 1]])


def test_a_picture_without_positives_takes_the_minimum():
    mask = hard([[1, 2, 3], [3, 2, 1]], np.zeros((2, 3)), minimum=1)
    np.testing.assert_array_equal(mask, [[0, 0, 1], [1, 0, 0]])


def test_no_positive_and_no_minimum_takes_nothing():
    assert not hard([[1, 2, 3]], [[0, 0, 0]]).any()


def test_ignored_anchors_are_never_hard_negatives():
    mask = hard([[1, 9, 2]], [[1, 0, 0]], [[False, False, True]])
    np.testing.assert_array_equal(mask, [[0, 0, 1]])


def sample(positives, negatives, seed=0, **options):
    options = {"num_samples": 8, "positive_fraction": 0.25} | options
    return ops.convert_to_numpy(
        balanced_sample(np.asarray(positives), np.asarray(negatives), seed=seed, **options)
    )


def test_positives_keep_to_their_share_and_negatives_fill_up():
    positives = np.arange(20)[None] < 6
    mask = sample(positives, ~positives)
    assert (mask & positives).sum() == 2
    assert (mask & ~positives).sum() == 6


def test_negatives_take_the_place_of_missing_positives():
    positives = np.arange(20)[None] < 1
    assert (sample(positives, ~positives) & ~positives).sum() == 7


def test_what_is_neither_is_never_drawn():
    positives, negatives = np.arange(6)[None] < 2, np.arange(6)[None] > 3
    np.testing.assert_array_equal(
        sample(positives, negatives, positive_fraction=0.5), positives | negatives
    )


def test_an_int_seed_repeats_and_a_generator_moves_on():
    positives = np.zeros((1, 200), bool)
    one, two = sample(positives, ~positives, 5), sample(positives, ~positives, 5)
    np.testing.assert_array_equal(one, two)
    seed = keras.random.SeedGenerator(5)
    one, two = sample(positives, ~positives, seed), sample(positives, ~positives, seed)
    assert (one != two).any()


def test_the_draw_is_even():
    # 400 draws of 8 out of 20: each expected 160 times, with a standard deviation of 9.8.
    draws = sample(np.zeros((400, 20), bool), np.ones((400, 20), bool), seed=1)
    assert (abs(draws.sum(axis=0) - 160) < 5 * 9.8).all()


def test_samples_compile():
    positives = ops.convert_to_tensor(np.arange(20)[None] < 6)
    run = compiled(
        lambda x: balanced_sample(
            x, ops.logical_not(x), num_samples=8, positive_fraction=0.25, seed=3
        )
    )
    assert ops.convert_to_numpy(run(positives)).sum() == 8
