"""Mask pictures whose pixels are the numbers of objects: boxes, masks, splits, classes."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.data.tiny_sets import picture, turned
from zoo.data import load_source
from zoo.data.class_folders import split_of
from zoo.run_lengths import encode_mask

pytestmark = pytest.mark.any_backend

# Two objects, the second of two parts; their numbers need not follow on each other.
NUMBERS = np.zeros((32, 48), np.uint8)
NUMBERS[6:30, 4:20] = 7
NUMBERS[2:4, 30:34] = NUMBERS[10:12, 40:48] = 2


def write(folder, numbers, *, names=("PNGImages", "PedMasks"), ending="_mask", **pictures):
    """Write a pair of folders; pictures: name -> its bytes."""
    for name in names:
        (folder / name).mkdir(parents=True)
    for stem, encoded in (pictures or {"a": picture()}).items():
        (folder / names[0] / f"{stem}.jpg").write_bytes(encoded)
        Image.fromarray(numbers).save(folder / names[1] / f"{stem}{ending}.png")
    return folder


def load(folder, tmp_path):
    return load_source("instance_masks", path=folder, data_dir=str(tmp_path / "cache"))


def only_record(source):
    (record,) = source.records("train").as_numpy_iterator()
    return record


def test_boxes_areas_and_masks_are_those_of_the_pixels(tmp_path):
    source = load(write(tmp_path / "set", NUMBERS), tmp_path)
    assert source.class_names == ("object",)
    record = only_record(source)
    assert record["image_id"] == b"a"
    sides = np.array([48, 32, 48, 32])
    np.testing.assert_allclose(record["boxes"] * sides, [[30, 2, 48, 12], [4, 6, 20, 30]])
    np.testing.assert_allclose(record["area"] * 32 * 48, [8 + 16, 24 * 16])
    assert record["masks"].tolist() == [encode_mask(NUMBERS == 2), encode_mask(NUMBERS == 7)]
    assert record["crowd"].tolist() == [False, False]


def test_the_same_objects_as_cocos_rle_give_the_same_records(tmp_path):
    masks = load(write(tmp_path / "train_and_val/train", NUMBERS).parent, tmp_path)
    (tmp_path / "coco/train").mkdir(parents=True)
    (tmp_path / "coco/train/a.jpg").write_bytes(picture())
    rows = [
        {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "bbox": box,
            "area": int((number == NUMBERS).sum()),
            "iscrowd": 0,
            "segmentation": {"size": [32, 48], "counts": encode_mask(number == NUMBERS).decode()},
        }
        for number, box in ((2, [30, 2, 18, 10]), (7, [4, 6, 16, 24]))
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 32, "width": 48}],
        "annotations": rows,
        "categories": [{"id": 1, "name": "object"}],
    }
    (tmp_path / "coco/train.json").write_text(json.dumps(content))
    coco = load_source("coco", path=tmp_path / "coco", data_dir=str(tmp_path / "cache"))
    assert masks.splits == coco.splits == ("train",)
    assert masks.digest("train") == coco.digest("train")


def test_a_class_is_named_by_a_file_and_splits_by_folders(tmp_path):
    folder = tmp_path / "set"
    for split in ("training", "validation"):
        write(folder / split, NUMBERS, names=("images", "masks"), ending="")
    (folder / "classes.txt").write_text("pedestrian\n")
    source = load(folder, tmp_path)
    assert (source.class_names, source.splits) == (("pedestrian",), ("train", "val"))
    assert [source.size(split) for split in source.splits] == [1, 1]


def test_without_split_folders_the_names_decide(tmp_path):
    stems = [f"p{number}" for number in range(20)]
    folder = write(tmp_path / "set", NUMBERS, **{stem: picture() for stem in stems})
    source = load(folder, tmp_path)
    found = [r["image_id"].decode() for r in source.records("val").as_numpy_iterator()]
    assert found == sorted(stem for stem in stems if split_of(stem) == "val")
    assert source.size("train") + source.size("val") == 20


@pytest.mark.parametrize("mode", ["L", "P", "I;16"])
def test_numbers_are_read_from_every_kind_of_picture(mode, tmp_path):
    folder = write(tmp_path / "set", NUMBERS)
    image = Image.fromarray(NUMBERS.astype("uint16") if mode == "I;16" else NUMBERS)
    if mode == "P":
        image.putpalette([value for number in range(256) for value in (number // 2, 0, 255)])
    assert image.mode == mode
    image.save(folder / "PedMasks/a_mask.png")
    record = only_record(load(folder, tmp_path))
    assert record["masks"].tolist() == [encode_mask(NUMBERS == 2), encode_mask(NUMBERS == 7)]


def test_an_empty_mask_is_a_picture_without_objects(tmp_path):
    record = only_record(load(write(tmp_path / "set", NUMBERS * 0), tmp_path))
    assert record["boxes"].shape == (0, 4)


def test_a_mask_of_the_stored_picture_is_turned_with_it(tmp_path):
    record = only_record(load(write(tmp_path / "set", NUMBERS, a=turned(6)), tmp_path))
    assert (record["height"], record["width"]) == (48, 32)
    clockwise = np.rot90(NUMBERS, -1)
    assert record["masks"].tolist() == [encode_mask(clockwise == n) for n in (2, 7)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "PedMasks").rename(folder / "other"), "expected pictures in"),
        (
            lambda folder: (folder / "classes.txt").write_text("cat\ndog\n"),
            "expected the name of one class; got 2",
        ),
    ],
)
def test_a_folder_of_another_kind_is_refused(change, message, tmp_path):
    folder = write(tmp_path / "set", NUMBERS)
    change(folder)
    with pytest.raises(ValueError, match=message):
        load(folder, tmp_path)
