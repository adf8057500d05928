"""Folds: disjoint, together all of the training records, a function of seed and place."""

from itertools import chain

import numpy as np
import pytest

from zoo.data import load_source, take_fold
from zoo.data.folds import deal

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def bananas(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("data"))
    return load_source("bananas", train_size=11, val_size=2, data_dir=folder)


def ids(source, split, limit=None):
    return [entry["image_id"] for entry in source.entries(split, limit).as_numpy_iterator()]


def test_each_record_is_validated_on_once_and_learnt_from_otherwise(bananas):
    everything = ids(bananas, "train")
    folds = [take_fold(bananas, index, 3, seed=5) for index in range(3)]
    validated = [ids(fold, "val") for fold in folds]
    assert sorted(chain.from_iterable(validated)) == sorted(everything)
    assert sorted(map(len, validated)) == [3, 4, 4]
    for fold, held_out in zip(folds, validated, strict=True):
        assert sorted(ids(fold, "train") + held_out) == sorted(everything)
        assert (fold.size("train"), fold.size("val")) == (11 - len(held_out), len(held_out))
        assert len(list(fold.ground_truth("val"))) == len(held_out)


def test_a_fold_depends_on_the_seed_and_on_nothing_else(bananas):
    def fold(seed):
        return take_fold(bananas, 1, 3, seed=seed)

    assert ids(fold(5), "val") == ids(fold(5), "val")
    assert ids(fold(5), "val") != ids(fold(6), "val")
    assert fold(5).digest("val") == fold(5).digest("val") != fold(6).digest("val")
    assert fold(5).digest("val") != fold(5).digest("train")


def test_of_a_limit_the_first_records_are_dealt(bananas):
    folds = [take_fold(bananas, index, 2, limit=6) for index in range(2)]
    assert sorted(ids(folds[0], "val") + ids(folds[1], "val")) == sorted(ids(bananas, "train", 6))


def test_dealing_is_even_whatever_the_count():
    for size in (5, 6, 7, 100):
        counts = np.bincount(deal(size, 5, seed=1), minlength=5)
        assert counts.sum() == size
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    ("index", "of", "said"),
    [(3, 3, "index must be"), (0, 1, "of >= 2"), (0, 12, "too few for 12 folds")],
)
def test_no_such_fold(bananas, index, of, said):
    with pytest.raises(ValueError, match=said):
        take_fold(bananas, index, of)
