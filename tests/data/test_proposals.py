"""Proposals: found once, kept, and moved with their pictures."""

import numpy as np
import pytest

from tests.data.tiny_sets import voc_object, write_voc
from zoo.data import build_pipeline, load_source
from zoo.data import proposals as module
from zoo.data.proposals import find_proposals
from zoo.layers import ImageConverter, SelectiveSearch
from zoo.pictures import read_picture

pytestmark = pytest.mark.any_backend


class Counting(SelectiveSearch):
    """Count the pictures that are searched."""

    searched = 0

    def __call__(self, picture):
        type(self).searched += 1
        return super().__call__(picture)


@pytest.fixture
def source(tmp_path):
    name, path = write_voc(tmp_path / "set", voc_object())
    return load_source(name, path=path, data_dir=str(tmp_path / "cache"))


@pytest.fixture
def find(source, tmp_path, monkeypatch):
    monkeypatch.setattr(Counting, "searched", 0)

    def search(count=20, **options):
        return find_proposals(
            source, "train", Counting(count), data_dir=str(tmp_path / "cache"), **options
        )

    return search


def test_they_are_those_of_the_pictures_in_stored_order(find, source):
    found = find()
    for index, record in enumerate(source.records("train").as_numpy_iterator()):
        np.testing.assert_array_equal(
            found[index], SelectiveSearch(20)(read_picture(record["image"]))
        )
    assert found.count == 20


def test_a_second_search_finds_them_in_the_cache(find):
    find()
    find()
    assert Counting.searched == 2
    find(count=21)  # another search
    assert Counting.searched == 4


def test_a_search_that_was_killed_goes_on_where_it_was(find, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 1)

    def killed(what, done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(progress=killed)
    assert Counting.searched == 1
    find()
    assert Counting.searched == 2


def stream(source, found, augment=(), **options):
    converter = ImageConverter((64, 64), mode="letterbox")
    options = {"batch_size": 2, "max_boxes": 3, "training": True, "epochs": 8} | options
    return list(
        build_pipeline(
            source, "train", converter, proposals=found, augment=augment, **options
        ).as_numpy_iterator()
    )


@pytest.mark.parametrize("cache", [False, True])
def test_they_lie_where_the_letterbox_puts_the_picture(find, source, cache):
    found = find()
    ((inputs, targets),) = stream(source, found, training=False, cache=cache)
    assert inputs["images"].shape == (2, 64, 64, 3)
    assert inputs["proposals"].shape == (2, 20, 4)
    assert targets["boxes"].shape == (2, 3, 4)
    assert targets["labels"].shape == (2, 3)
    # 48 x 32 becomes 64 x 43, ten rows from the top of 64 x 64.
    wanted = found[0].copy()
    wanted[:, 1::2] = (wanted[:, 1::2] * 43 + 10) / 64
    wanted[~found[0].any(axis=1)] = 0
    np.testing.assert_allclose(inputs["proposals"][0], wanted, atol=0.002)  # 43, not 42.67


def test_they_follow_a_flip_as_the_boxes_do(find, source):
    found = find()
    stored, mirrored = 0, 0
    ((plain, _),) = stream(source, found, training=False)
    for inputs, targets in stream(source, found, augment=["flip"]):
        for pixels, proposals in zip(inputs["images"], inputs["proposals"], strict=True):
            same = [i for i in range(2) if (plain["images"][i] == pixels).all()]
            if same:
                stored += 1
                np.testing.assert_allclose(proposals, plain["proposals"][same[0]], atol=1e-6)
                continue
            others = [i for i in range(2) if (plain["images"][i] == pixels[:, ::-1]).all()]
            mirrored += 1
            before = plain["proposals"][others[0]]
            real = before.any(axis=1)
            turned = before[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
            np.testing.assert_allclose(proposals, np.where(real[:, None], turned, 0), atol=1e-6)
        assert (targets["labels"] < 2).all()
    assert stored
    assert mirrored


def test_a_step_that_mixes_pictures_is_refused(find, source):
    with pytest.raises(ValueError, match=r"augment must name some of flip, .*; got mixup"):
        stream(source, find(), augment=["mixup"])
