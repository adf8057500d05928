"""Pictures and masks in folder pairs and in VOC's folders: classes, splits, names, the records."""

import numpy as np
import pytest

from tests.data.mask_sets import (
    COLORS,
    NAMES,
    class_map,
    coloured_png,
    png,
    write_mask_folders,
    write_voc_masks,
)
from tests.data.tiny_sets import picture, turned, write_voc
from zoo.colormaps import VOC_CLASSES, VOID, voc_colormap
from zoo.data import load_source
from zoo.data.masks import upright_array

pytestmark = pytest.mark.any_backend

CAMVID = "10 20 30\t\tsky\n200 0 0\t\tcar\n0 200 0\t\ttree\n0 0 0\t\tVoid\n"
CLASS_DICT = "name,r,g,b\nsky,10,20,30\ncar,200,0,0\ntree,0,200,0\nVoid,0,0,0\n"


def load(written, cache, **options):
    form, path = written
    return load_source(form, path=path, data_dir=str(cache / "cache"), **options)


def maps(source, split="train"):
    return {image_id: classes for image_id, _, classes in source.semantic_truth(split)}


def test_voc_has_the_books_classes_and_its_masks_are_read(tmp_path):
    source = load(write_voc_masks(tmp_path / "set"), tmp_path)
    assert (source.class_names, source.palette) == (VOC_CLASSES, voc_colormap())
    assert source.splits == ("train",)
    found = maps(source)
    assert list(found) == ["good", "odd"]
    np.testing.assert_array_equal(found["odd"], class_map())
    (record, _) = source.records("train").as_numpy_iterator()
    assert record["image"] == picture()
    assert len(record["labels"]) == 0


def test_voc_layout_may_have_other_classes_and_masks(tmp_path):
    form, path = write_voc_masks(tmp_path / "set", coloured_png(class_map()), listed="odd\n")
    (path / "SegmentationClass").rename(path / "Coloured")
    palette = dict(zip(NAMES, COLORS, strict=True)) | {"void": [0, 0, 0]}
    source = load((form, path), tmp_path, masks="Coloured", palette=palette)
    assert (source.class_names, source.palette) == (NAMES, COLORS)
    np.testing.assert_array_equal(maps(source)["odd"], class_map())


def test_voc_without_lists_is_refused(tmp_path):
    _, path = write_voc(tmp_path / "set")
    with pytest.raises(ValueError, match="the SegmentationClass of a Pascal VOC folder"):
        load(("voc_segmentation", path), tmp_path)
    (path / "SegmentationClass").mkdir()
    with pytest.raises(ValueError, match=r"Segmentation: expected a list a split.*mask_folders\?"):
        load(("voc_segmentation", path), tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "sky 10 20 30\ncar 200 0 0\n\ntree 0 200 0\nvoid 0 0 0\n"),
        ("label_colors.txt", CAMVID),
        ("class_dict.csv", CLASS_DICT),
    ],
)
def test_list_beside_the_masks_names_classes_and_colours(name, text, tmp_path):
    written = write_mask_folders(tmp_path / "set", classes=None)
    (written[1] / name).write_text(text)
    source = load(written, tmp_path)
    assert (source.class_names, source.palette) == (NAMES, COLORS)
    found = maps(source)
    np.testing.assert_array_equal(found["good"], class_map())
    assert (found["odd"] == VOID).any()


def test_masks_of_indices_have_names_and_voc_colours_to_be_painted_in(tmp_path):
    indices = png(class_map())
    written = write_mask_folders(tmp_path / "set", indices, classes=None, good=indices)
    source = load(written, tmp_path, class_names=["a b", "c", "d"])
    assert (source.class_names, source.palette) == (("a b", "c", "d"), voc_colormap(3))
    np.testing.assert_array_equal(maps(source)["odd"], class_map())


@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        (None, {}, r"expected a list of the classes, one of classes\.txt, .*class_names or a pal"),
        ("", {}, r"classes\.txt: expected 1 to 255 classes; got 0"),
        ("a 1 2 3\nb\n", {}, r"classes\.txt: give all classes a colour, or none"),
        ("a 1 2 3\nb 1 2 3\n", {}, r"the colour \(1, 2, 3\) is there twice"),
        ("a\na\n", {}, "the class a is there twice"),
        (
            "a 1 2 300\n",
            {},
            r"classes\.txt:1: a colour must lie in 0\.\.255; got \['1', '2', '300'\]",
        ),
        (None, {"palette": {"a": "red"}}, r"palette: a: a colour must be red, green, blue; got"),
        (None, {"palette": {"a": [1, 2]}}, r"palette: a: a colour must be red, green, blue; got"),
        (None, {"palette": {"a": [1, 2, 3]}, "class_names": ["a"]}, "got both"),
    ],
)
def test_odd_classes_are_refused(classes, options, message, tmp_path):
    written = write_mask_folders(tmp_path / "set", classes=classes)
    with pytest.raises(ValueError, match=message):
        load(written, tmp_path, **options)


def test_splits_may_lie_below_the_pair(tmp_path):
    _, path = write_mask_folders(tmp_path / "set")
    for part in ("images", "masks"):
        (path / part).mkdir()
        (path / "train" / part).rename(path / part / "training")
    source = load(("mask_folders", path), tmp_path)
    assert source.splits == ("train",)
    assert list(maps(source)) == ["good", "odd"]


def test_pair_without_splits_is_halved_by_name_and_masks_may_have_an_ending(tmp_path):
    _, path = write_mask_folders(tmp_path / "set")
    for part, ending in (("images", "jpg"), ("masks", "png")):
        (path / "train" / part).rename(path / part)
        for number in range(12):
            name = f"{number}_L.png" if ending == "png" else f"{number}.jpg"
            content = (path / part / f"good.{ending}").read_bytes()
            (path / part / name).write_bytes(content)
        (path / part / f"good.{ending}").unlink()
        (path / part / f"odd.{ending}").unlink()
    source = load(("mask_folders", path), tmp_path, mask_ending="_L")
    halves = [set(maps(source, split)) for split in source.splits]
    assert source.splits == ("train", "val")
    assert sorted(map(int, halves[0] | halves[1])) == list(range(12))
    assert not halves[0] & halves[1]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_pictures_of_other_kinds_are_right(mode, tmp_path):
    form = "TIFF" if mode == "CMYK" else "PNG"
    form, path = write_mask_folders(tmp_path / "set", image=picture(form, mode))
    (path / "train/images/odd.jpg").rename(path / "train/images/odd.tif")
    source = load((form, path), tmp_path)
    assert source.size("train") == 2


def test_picture_that_exif_turns_and_its_mask_come_out_upright(tmp_path):
    source = load(write_mask_folders(tmp_path / "set", image=turned(6)), tmp_path)
    np.testing.assert_array_equal(maps(source)["odd"], upright_array(class_map(), 6))


def test_digest_tells_masks_apart_and_not_their_files(tmp_path):
    same = [
        load(write_mask_folders(tmp_path / name, mask), tmp_path).digest("train")
        for name, mask in (("a", None), ("b", png(class_map())), ("c", png(class_map() * 0)))
    ]
    assert same[0] == same[1] != same[2]


def test_data_of_objects_have_no_class_maps(tmp_path):
    source = load(write_voc(tmp_path / "set"), tmp_path)
    assert source.palette == ()
    with pytest.raises(ValueError, match="has objects, not the class of every pixel"):
        next(source.semantic_truth("train"))
