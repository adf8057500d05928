"""COCO's objects as class maps: what lies over what, what is void, and real balloons."""

import numpy as np
import pytest

from tests.data.tiny_sets import HEIGHT, WIDTH, coco_row, write_coco_set
from tests.shared_data import shared_data
from zoo.colormaps import VOID
from zoo.data import load_source

pytestmark = pytest.mark.any_backend


def rectangle(left, top, right, bottom) -> list:
    return [[left, top, right, top, right, bottom, left, bottom]]


def row(identity, box, category=1, **changes) -> dict:
    left, top, right, bottom = box
    sides = [left, top, right - left, bottom - top]
    area = sides[2] * sides[3]
    given = {"segmentation": rectangle(*box), "area": area} | changes
    return coco_row(sides, id=identity, category_id=category, **given)


def class_map_of(folder, *rows):
    """The class map of the odd picture; its companion, without a mask, is taken away."""

    def edit(content):
        content["annotations"].pop(1)

    form, path = write_coco_set(folder / "set", *rows, edit=edit)
    source = load_source(f"{form}_segmentation", path=path, data_dir=str(folder / "cache"))
    assert source.class_names == ("background", "cat", "dog")
    assert len(source.palette) == 3
    found = {image_id: classes for image_id, _, classes in source.semantic_truth("train")}
    assert found["odd"].shape == (HEIGHT, WIDTH)
    return found["odd"]


def test_objects_are_painted_on_background(tmp_path):
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[4:20, 6:30] = 2
    np.testing.assert_array_equal(class_map_of(tmp_path, row(3, (6, 4, 30, 20), 2)), expected)


def test_smaller_object_lies_over_the_larger_whatever_their_order(tmp_path):
    small, large = row(3, (10, 8, 16, 12), 1), row(4, (6, 4, 30, 20), 2)
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[4:20, 6:30], expected[8:12, 10:16] = 2, 1
    for number, rows in enumerate([(small, large), (large, small)]):
        np.testing.assert_array_equal(class_map_of(tmp_path / str(number), *rows), expected)


def test_crowds_and_boxes_without_a_mask_are_void_below_objects(tmp_path):
    found = class_map_of(
        tmp_path,
        row(3, (2, 2, 10, 10), 1),
        row(4, (6, 6, 20, 20), 1, iscrowd=1),
        row(5, (30, 4, 40, 12), 2, segmentation=None),
    )
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[6:20, 6:20] = expected[4:12, 30:40] = VOID
    expected[2:10, 2:10] = 1
    np.testing.assert_array_equal(found, expected)


def test_category_called_background_is_the_background(tmp_path):
    form, path = write_coco_set(
        tmp_path / "set",
        row(3, (2, 2, 10, 10), 1),
        edit=lambda content: content["categories"][0].update(name="background"),
    )
    source = load_source(f"{form}_segmentation", path=path, data_dir=str(tmp_path / "cache"))
    assert source.class_names == ("background", "dog")


def test_balloons(tmp_path):
    path = shared_data("balloon_coco")
    source = load_source("coco_segmentation", path=path, data_dir=str(tmp_path))
    assert source.class_names == ("background", "balloon")
    detection = load_source("coco", path=path, data_dir=str(tmp_path))
    pairs = zip(
        source.semantic_truth("val"), detection.ground_truth("val", masks=True), strict=True
    )
    for (image_id, _, classes), (same_id, _, objects) in pairs:
        assert image_id == same_id
        np.testing.assert_array_equal(classes, objects.masks.any(axis=0))
