"""YOLO folders: where pictures and labels are, what a line means, and what is wrong with one."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from zoo.data import load_source
from zoo.data.layout import Defect, FoundPicture
from zoo.data.yolo import label_file, open_yolo
from zoo.data.yolo_yaml import read_yolo_yaml

pytestmark = pytest.mark.any_backend

PLAIN = {"train": "images/train", "names": ["cat", "dog"]}


@pytest.fixture
def folder(tmp_path):
    for part in ("images/train", "labels/train"):
        (tmp_path / part).mkdir(parents=True)
    write_yaml(tmp_path, PLAIN)
    return tmp_path


def write_yaml(folder, told):
    (folder / "data.yaml").write_text(told if isinstance(told, str) else yaml.safe_dump(told))


def add(folder, name, rows=None, split="train"):
    """A picture (readers do not open it) and its label file."""
    picture = folder / "images" / split / name
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(b"picture")
    if rows is not None:
        label = (folder / "labels" / split / name).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_bytes(rows if isinstance(rows, bytes) else rows.encode())


def read(folder, split="train"):
    found = list(open_yolo(folder).pictures(split))
    pictures = [one for one in found if isinstance(one, FoundPicture)]
    return pictures, [one for one in found if isinstance(one, Defect)]


def only_defect(folder):
    _, (defect,) = read(folder)
    return defect


def test_a_line_is_a_class_and_the_centre_and_size_of_a_box(folder):
    add(folder, "a.jpg", "1 0.5 0.25 0.5 0.125\n")
    (picture,), _ = read(folder)
    (thing,) = picture.objects
    assert (thing.name, thing.box) == ("dog", (0.25, 0.1875, 0.75, 0.3125))
    assert (thing.line, thing.segmentation) == (1, None)
    assert (picture.unit, picture.image_id) == ("fractions", "a")
    assert picture.image == folder / "images/train/a.jpg"
    assert picture.file == str(folder / "labels/train/a.txt")


def test_a_polygon_keeps_its_points_and_gets_the_box_around_them(folder):
    points = [0.25, 0.5, 0.75, 0.25, 0.5, 0.875]
    add(folder, "a.jpg", "0 " + " ".join(map(str, points)))
    (picture,), _ = read(folder)
    assert picture.objects[0].box == (0.25, 0.25, 0.75, 0.875)
    assert picture.objects[0].segmentation == [points]


def test_objects_keep_their_order_and_blank_lines_count_as_lines(folder):
    add(folder, "a.jpg", "\r\n1 .5 .5 .5 .5\r\n\r\n0 .5 .5 .25 .25\r\n")
    (picture,), defects = read(folder)
    assert [(thing.name, thing.line) for thing in picture.objects] == [("dog", 2), ("cat", 4)]
    assert not defects


@pytest.mark.parametrize("rows", [None, "", "\n \n"], ids=["no file", "empty", "blank"])
def test_a_picture_without_lines_has_no_objects(folder, rows):
    add(folder, "a.jpg", rows)
    (picture,), defects = read(folder)
    assert picture.objects == ()
    assert not defects


def test_pictures_come_sorted_and_with_those_in_folders_below(folder):
    for name in ("b.PNG", "sub/c.jpeg", "a.jpg", ".hidden.jpg", "notes.txt", "labels.cache"):
        add(folder, name, "0 .5 .5 .5 .5")
    (folder / "labels/train/notes.txt").unlink()
    (folder / "labels/train/labels.txt").unlink()
    pictures, defects = read(folder)
    assert [picture.image_id for picture in pictures] == ["a", "b", "sub/c"]
    assert all(len(picture.objects) == 1 for picture in pictures)
    assert not defects


def test_the_last_images_in_a_path_is_labels():
    assert label_file("/images/set/images/a/b.jpg") == "/images/set/labels/a/b.txt"
    assert label_file("/set/a/b.tar.jpg") == "/set/a/b.tar.txt"
    assert label_file("/my-images/b.jpg") == "/my-images/b.txt"


def test_labels_lie_beside_pictures_where_no_folder_is_called_images(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all/a.jpg").write_bytes(b"picture")
    (tmp_path / "all/a.txt").write_text("0 .5 .5 .5 .5")
    write_yaml(tmp_path, {"train": "all", "names": ["cat"]})
    (picture,), defects = read(tmp_path)
    assert len(picture.objects) == 1
    assert not defects


def test_a_link_to_a_folder_above_ends(folder):
    add(folder, "a.jpg", "0 .5 .5 .5 .5")
    (folder / "images/train/loop").symlink_to(folder / "images")
    pictures, _ = read(folder)
    assert [picture.image_id for picture in pictures] == ["a"]


@pytest.mark.parametrize(
    "line", ["./images/train/a.jpg", "images/train/a.jpg", r"images\train\a.jpg"]
)
def test_a_text_list_names_pictures(folder, line):
    add(folder, "a.jpg", "0 .5 .5 .5 .5")
    add(folder, "b.jpg")
    (folder / "train.txt").write_text(f"{line}\n")
    write_yaml(folder, {"train": "train.txt", "names": ["cat"]})
    (picture,), _ = read(folder)
    assert picture.image_id == "images/train/a"
    assert len(picture.objects) == 1


def test_a_split_may_be_several_folders_and_lists(folder):
    add(folder, "a.jpg", "0 .5 .5 .5 .5", split="one")
    add(folder, "a.jpg", "0 .5 .5 .5 .5", split="two")
    (folder / "two.txt").write_text(f"{folder}/images/two/a.jpg\n")
    write_yaml(folder, {"train": ["images/one", "two.txt"], "names": ["cat"]})
    pictures, _ = read(folder)
    assert [picture.image_id for picture in pictures] == ["images/one/a", "images/two/a"]


def test_an_id_that_is_not_utf8_stays_what_names_the_file(folder):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    add(folder, name, "0 .5 .5 .5 .5")
    (picture,), _ = read(folder)
    assert picture.image.read_bytes() == b"picture"
    assert len(picture.objects) == 1


DEFECTS = [
    (
        "0 .5 .5 .5",
        "malformed_line",
        "expected a class and 4 numbers, or 3 or more points; got 4 values.",
    ),
    ("0", "malformed_line", "got 1 values."),
    ("0 .5 .5 .5 .5 .9", "malformed_line", "got 6 values. Is the last one a confidence?"),
    ("0 .1 .1 .9 .1 .9 .9 .1", "malformed_line", "got 8 values."),
    ("0 .5 x .5 .5", "wrong_type", "expected numbers; got 'x'."),
    ("cat .5 .5 .5 .5", "wrong_type", "expected numbers; got 'cat'."),
    ("0,.5,.5,.5,.5", "malformed_line", "got 1 values."),
    ("0.5 .5 .5 .5 .5", "wrong_type", "a class must be a whole number; got 0.5."),
    ("nan .5 .5 .5 .5", "wrong_type", "a class must be a whole number; got nan."),
    ("2 .5 .5 .5 .5", "unknown_class", "a class must be 0 to 1, as in names; got 2."),
    ("-1 .5 .5 .5 .5", "unknown_class", "a class must be 0 to 1, as in names; got -1."),
    (b"0 .5 .5 .5 \xff", "wrong_type", "expected numbers; got '\ufffd'."),
]


@pytest.mark.parametrize(("row", "kind", "message"), DEFECTS, ids=[str(row) for row, *_ in DEFECTS])
def test_a_malformed_line_is_told_and_the_others_are_kept(folder, row, kind, message):
    row = row if isinstance(row, bytes) else row.encode()
    add(folder, "a.jpg", b"0 .5 .5 .5 .5\n" + row + b"\n1 .5 .5 .5 .5\n")
    (picture,), (defect,) = read(folder)
    assert defect.kind == kind
    assert (defect.file, defect.line) == (str(folder / "labels/train/a.txt"), 2)
    assert message in defect.message
    assert [thing.line for thing in picture.objects] == [1, 3]


def test_an_object_twice_counts_once(folder):
    add(folder, "a.jpg", "0 .5 .5 .5 .5\n1 .5 .5 .5 .5\n0 0.50 .5 .5 .5\n")
    (picture,), (defect,) = read(folder)
    assert [thing.name for thing in picture.objects] == ["cat", "dog"]
    assert (defect.kind, defect.line) == ("duplicate_object", 3)
    assert "the same class and box as in line 1; it counts once." in defect.message


def test_a_label_file_without_its_picture_is_told(folder):
    add(folder, "a.jpg", "0 .5 .5 .5 .5")
    (folder / "images/train/a.jpg").unlink()
    (folder / "labels/train/classes.txt").write_text("cat\n")  # which labelImg leaves there
    defect = only_defect(folder)
    assert defect.kind == "annotation_without_picture"
    assert defect.file == str(folder / "labels/train/a.txt")


def test_pictures_without_a_folder_of_labels_are_an_oversight(folder):
    add(folder, "a.jpg")
    (folder / "labels/train").rmdir()
    defect = only_defect(folder)
    assert defect.kind == "picture_without_annotation"
    assert f"there is no folder of labels for it, {folder}/labels/train." in defect.message


def test_a_listed_picture_that_is_not_there_is_told(folder):
    (folder / "train.txt").write_text("\n./images/train/lost.jpg\n")
    write_yaml(folder, {"train": "train.txt", "names": ["cat"]})
    defect = only_defect(folder)
    assert (defect.kind, defect.line) == ("missing_picture", 2)
    assert "there is no picture './images/train/lost.jpg'" in defect.message


def test_a_number_that_is_not_finite_reaches_the_judge(folder):
    add(folder, "a.jpg", "0 inf .5 .5 .5\n0 .1 nan .5 .5 .9 .9\n")
    (picture,), _ = read(folder)
    assert picture.objects[0].box[0] == math.inf
    assert all(map(math.isnan, picture.objects[1].box))


def test_names_may_be_numbered_and_splits_have_other_names(folder):
    write_yaml(folder, {"train": "images/train", "valid": "images/train", "names": {1: "b", 0: 7}})
    layout = open_yolo(folder)
    assert layout.class_names == ("7", "b")
    assert layout.splits == ("train", "val")


def test_nc_alone_names_the_classes_by_their_numbers(folder):
    write_yaml(folder, {"train": "images/train", "nc": 2})
    assert open_yolo(folder).class_names == ("0", "1")


@pytest.mark.parametrize("told", ["path: elsewhere", "path: .", "path:", "path: ''"])
def test_a_stale_path_is_that_of_the_yaml(folder, told):
    write_yaml(folder, f"{told}\ntrain: images/train\nnames: [cat]\n")
    assert read_yolo_yaml(folder).places == {"train": (folder / "images/train",)}


def test_a_path_from_the_folder_above_is_tried_beside_the_yaml(folder):
    write_yaml(folder, "train: ../images/train\nnames: [cat]\n")
    assert read_yolo_yaml(folder).places["train"] == (folder / "images/train",)


YAMLS = [
    ("[1, 2]", "expected keys such as train, val and names; got [1, 2]."),
    ("train: [", "data.yaml:1: malformed YAML"),
    ("a: 2001-99-99", "malformed YAML: month must be in 1..12"),
    ("", "an empty annotation file"),
    ("\0", "malformed YAML"),
    ("names: [cat]", "expected a train, val or test with pictures; found none."),
    ("train: nowhere\nnames: [cat]", "train: there is no "),
    ("train: 7\nnames: [cat]", "train must be a folder or a text list; got 7."),
    ("train: [[images]]\nnames: [cat]", "train must be a folder or a text list; got ['images']."),
    ("train: images/train", "names must list the classes; got None."),
    ("train: images/train\nnames: cat", "names must list the classes; got 'cat'."),
    ("train: images/train\nnames: []", "names must list the classes; got []."),
    (
        "train: images/train\nnames: [no]",
        "names must be texts; got False. YAML reads no, off and yes",
    ),
    ("train: images/train\nnames: [[cat]]", "names must be texts; got ['cat']."),
    ("train: images/train\nnames: {1: cat}", "names must be numbered 0, 1, 2 ...; got [1]."),
    ("train: images/train\nnames: [cat]\nnc: 2", "nc must be the 1 of names; got 2."),
    ("train: images/train\nnames: [cat]\npath: 7", "path must be a text; got 7."),
    ('train: images/train\nnames: [cat]\npath: "\\0"\nval: "\\0"', "val: there is no"),
]


@pytest.mark.parametrize(("text", "message"), YAMLS, ids=[text for text, _ in YAMLS])
def test_a_data_yaml_that_cannot_be_used_is_refused_in_one_line(folder, text, message):
    write_yaml(folder, text)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        open_yolo(folder)
    assert str(caught.value).startswith(str(folder / "data.yaml"))
    assert "\n" not in str(caught.value)


def test_which_yaml_is_meant_must_be_clear(tmp_path):
    with pytest.raises(ValueError, match=r"expected one data\.yaml; found none"):
        open_yolo(tmp_path)
    for name in ("a.yaml", "b.yml"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"found a\.yaml, b\.yml\. Name the file itself"):
        open_yolo(tmp_path)
    with pytest.raises(ValueError, match="there is none"):
        open_yolo(tmp_path / "nowhere")


def test_roots_hold_what_lies_outside_the_opened_path(folder):
    assert open_yolo(folder).roots == ()
    roots = set(open_yolo(folder / "data.yaml").roots)
    assert {folder, folder / "images/train", folder / "labels/train"} <= roots
    assert Path(folder / "data.yaml") not in roots


def test_a_polygon_becomes_a_mask_in_pixels(tmp_path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    Image.new("RGB", (64, 32)).save(tmp_path / "images/a.png")
    # the rectangle from (16, 8) to (48, 24) pixels
    (tmp_path / "labels/a.txt").write_text("0 .25 .25 .75 .25 .75 .75 .25 .75\n")
    write_yaml(tmp_path, {"train": "images", "names": ["cat"]})
    source = load_source("yolo", path=tmp_path, data_dir=str(tmp_path / "cache"))
    ((_, _, truth),) = source.ground_truth("train", masks=True)
    expected = np.zeros((32, 64), bool)
    expected[8:24, 16:48] = True
    assert np.array_equal(truth.masks[0], expected)
    assert truth.boxes.tolist() == [[16, 8, 48, 24]]


def test_aliases_are_refused_as_they_grow_without_end(folder):
    write_yaml(folder, "train: &t images/train\nval: *t\nnames: [cat, dog]\n")
    with pytest.raises(ValueError, match=r"data.yaml:2: malformed YAML: aliases are not read here"):
        read_yolo_yaml(folder)
