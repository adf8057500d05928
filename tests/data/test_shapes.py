"""The shapes set: exact maps, painted alike on every machine, of which colour tells nothing."""

import hashlib

import numpy as np
import pytest

from zoo.colormaps import voc_colormap
from zoo.data import build_segmentation_pipeline, load_source
from zoo.data.shape_scenes import (
    CLASS_NAMES,
    _corners,
    _cover,
    paint_shapes,
)
from zoo.data.shapes import GENERATOR_VERSION
from zoo.pictures import read_picture

pytestmark = pytest.mark.any_backend

SIZE = 96
AREAS = {  # of a figure in a circle of radius 1
    "circle": np.pi,
    "square": 2.0,
    "triangle": 3 * np.sqrt(3) / 4,
    "star": 10 * 0.5 * 0.42 * np.sin(np.pi / 5),
}


@pytest.fixture(scope="module")
def shapes(cache_dir):
    return load_source("shapes", train_size=12, val_size=4, data_dir=str(cache_dir))


@pytest.fixture(scope="module")
def scenes():
    return [paint_shapes(0, "train", index, SIZE) for index in range(60)]


def test_records_hold_the_painted_pictures_and_their_maps(shapes):
    assert (shapes.class_names, shapes.palette) == (CLASS_NAMES, voc_colormap(5))
    truth = list(shapes.semantic_truth("train"))
    scene = paint_shapes(0, "train", 3, SIZE)
    found = {image_id: (encoded, classes) for image_id, encoded, classes in truth}
    encoded, classes = found["train-00003"]
    np.testing.assert_array_equal(classes, scene.classes)
    assert np.abs(read_picture(encoded).astype(float) - scene.pixels).mean() < 3  # JPEG
    assert len(truth) == shapes.size("train") == 12
    (image, targets) = next(
        build_segmentation_pipeline(
            shapes, "val", batch_size=4, training=False, crop=(SIZE, SIZE)
        ).as_numpy_iterator()
    )
    assert image.shape == (4, SIZE, SIZE, 3)
    assert targets["segmentation"].max() < 5


@pytest.mark.parametrize("name", CLASS_NAMES[1:])
def test_cover_has_the_area_of_the_figure(name):
    radius = 30.0
    cover = _cover(_corners(name, np.array([48.0, 48.0]), radius, 0.3), SIZE)
    assert cover.sum() == pytest.approx(AREAS[name] * radius**2, rel=0.03)  # edges of 1/4 pixel
    assert (cover >= 0.5).sum() == pytest.approx(cover.sum(), rel=0.03)
    rows, columns = np.indices(cover.shape) + 0.5
    middle = [(places * cover).sum() / cover.sum() for places in (columns, rows)]
    np.testing.assert_allclose(middle, 48.0, atol=0.3)


def test_every_class_is_common_and_background_the_most(scenes):
    counts = np.bincount(np.concatenate([scene.classes.ravel() for scene in scenes]), minlength=5)
    share = counts / counts.sum()
    assert 0.4 < share[0] < 0.85
    assert (share[1:] > 0.02).all()


def test_pixels_differ_from_the_ground_where_the_map_says_so(scenes):
    """An edge of the map is one of the picture: neighbours across it differ more than others."""
    across, along = [], []
    for scene in scenes:
        steps = np.abs(np.diff(scene.pixels.astype(float), axis=1)).mean(axis=-1)
        edge = np.diff(scene.classes.astype(int), axis=1) != 0
        across.append(steps[edge].mean())
        along.append(steps[~edge].mean())
    assert np.median(np.array(across) / along) > 3


def test_splits_seeds_and_sizes_give_other_pictures():
    drawn = [
        paint_shapes(*which).pixels.tobytes()
        for which in (
            (0, "train", 0, 96),
            (0, "val", 0, 96),
            (1, "train", 0, 96),
            (0, "train", 1, 96),
        )
    ]
    assert len(set(drawn)) == 4
    assert paint_shapes(0, "train", 0, 40).classes.shape == (40, 40)


def test_generator_of_this_version_paints_what_it_painted():
    """The class maps are whole numbers, equal on every machine; pixels may be rounded otherwise."""
    maps = b"".join(paint_shapes(0, "val", index, 64).classes.tobytes() for index in range(8))
    told = (GENERATOR_VERSION, hashlib.sha256(maps).hexdigest()[:16])
    assert told == ("1.0.0", "c19c0a2645b07e2e"), (
        "raise GENERATOR_VERSION with every change of what is painted"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"picture_size": 16}, r"picture_size must lie in 32\.\.1024; got 16"),
        ({"train_size": 0}, "train_size must be at least 1; got 0"),
    ],
)
def test_odd_options_are_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_source("shapes", data_dir=str(tmp_path), **options)
