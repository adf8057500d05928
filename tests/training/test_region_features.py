"""Features of regions are read once a set of weights, and go on where a killed reading was."""

import keras
import numpy as np
import pytest
from cases import squares

import zoo
from zoo.training import region_features
from zoo.training.region_features import region_pieces

PICTURES = 3


@pytest.fixture(scope="module")
def task():
    keras.utils.set_random_seed(0)
    return zoo.create(
        "rcnn",
        class_names=["square", "disc"],
        image_size=64,
        backbone=zoo.backbones.ResNet(18, levels=("c1",)),
        crop_size=16,
        proposals=12,
        search_side=64,
    )


@pytest.fixture(scope="module")
def pictures(task):
    images, labels = squares(PICTURES, max_boxes=2)
    labels["labels"][1, 0] = 1
    batches = []
    for n in range(PICTURES):
        inputs = {"images": images[n : n + 1], "proposals": task.proposer(images[n])[None]}
        inputs["proposals"][0, 9:] = 0  # padding
        batches.append((inputs, {name: values[n : n + 1] for name, values in labels.items()}))
    return batches


@pytest.fixture
def read(task, pictures, tmp_path, monkeypatch):
    """Read the pieces; `read.pictures` counts the pictures that the network saw."""
    monkeypatch.setattr(region_features, "PIECE", 1)
    reader = region_features._RegionReader.regions_of

    def counted(self, *picture):
        pieces.pictures += 1
        return reader(self, *picture)

    monkeypatch.setattr(region_features._RegionReader, "regions_of", counted)

    def pieces(digest="squares", **options):
        with region_pieces(task, pictures, digest, data_dir=tmp_path, **options) as found:
            return list(found)

    pieces.pictures = 0
    return pieces


def test_a_piece_tells_of_each_region_what_it_is(read, task, pictures):
    inputs, labels = pictures[1]
    piece = read()[1]
    assert piece["features"].shape == (10, 64)  # nine proposals and one object
    assert piece["truths"].tolist() == [-1] * 9 + [1]
    rois = np.concatenate([inputs["proposals"][0, :9], labels["boxes"][0, :1]])
    box = labels["boxes"][0, 0]
    low, high = np.maximum(rois[:, :2], box[:2]), np.minimum(rois[:, 2:], box[2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = (rois[:, 2:] - rois[:, :2]).prod(1)
    np.testing.assert_allclose(
        piece["overlaps"][:, 1], shared / (areas + areas[-1] - shared), atol=1e-5
    )
    assert (piece["overlaps"][:, 0] == 0).all()
    back = task.decoder.coder.decode(piece["offsets"][:, 1], rois)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(back), np.tile(box, (10, 1)), atol=1e-5)


def test_a_second_reading_finds_them_in_the_cache(read):
    first, again = read(), read()
    assert read.pictures == PICTURES
    for piece, twin in zip(first, again, strict=True):
        np.testing.assert_array_equal(piece["features"], twin["features"])
    read("other pictures")
    assert read.pictures == 2 * PICTURES


def test_a_reading_that_was_killed_goes_on_where_it_was(read):
    def killed(what, done):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(progress=killed)
    assert read.pictures == 2
    assert len(read()) == PICTURES
    assert read.pictures == PICTURES


def test_other_weights_replace_the_features(read, task, tmp_path):
    read()
    weights = task.backbone.get_weights()
    task.backbone.set_weights([values * 1.01 for values in weights])
    read()
    task.backbone.set_weights(weights)
    assert read.pictures == 2 * PICTURES
    folders = {file.parent for file in tmp_path.rglob("*.npz")}
    assert len(folders) == 1
