"""A small bananas set, painted once for all the tests of this folder."""

import pytest

from zoo.data import load_source

TRAIN, VAL = 22, 5


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def bananas(cache_dir):
    return load_source("bananas", train_size=TRAIN, val_size=VAL, data_dir=str(cache_dir))
