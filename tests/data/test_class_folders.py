"""A folder per class: with and without splits, and what stands in the wrong place."""

import re

import pytest

from tests.shared_data import shared_data
from zoo.data.class_folders import open_folder, split_of
from zoo.data.layout import Defect, FoundPicture

pytestmark = pytest.mark.any_backend


def add(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")


def read(folder, split="train"):
    found = list(open_folder(folder).pictures(split))
    pictures = [one for one in found if isinstance(one, FoundPicture)]
    return pictures, [one for one in found if isinstance(one, Defect)]


def test_a_record_is_a_label_and_a_box_around_the_picture(tmp_path):
    add(tmp_path, "train/dog/b.jpg", "train/cat/a.jpg", "validation/dog/c.jpg")
    layout = open_folder(tmp_path)
    assert (layout.splits, layout.class_names) == (("train", "val"), ("cat", "dog"))
    pictures, _ = read(tmp_path)
    assert [picture.image_id for picture in pictures] == ["cat/a", "dog/b"]
    (thing,) = pictures[1].objects
    assert (thing.name, thing.box, pictures[1].unit) == ("dog", (0, 0, 1, 1), "fractions")
    assert pictures[1].image == tmp_path / "train/dog/b.jpg"


def test_a_class_may_be_in_one_split_only(tmp_path):
    add(tmp_path, "train/cat/a.jpg", "test/dog/b.jpg")
    layout = open_folder(tmp_path)
    assert (layout.splits, layout.class_names) == (("train", "test"), ("cat", "dog"))


def test_without_split_folders_the_names_decide(tmp_path):
    names = [f"{kind}/{number}.jpg" for kind in ("cat", "dog") for number in range(100)]
    add(tmp_path, *names)
    layout = open_folder(tmp_path)
    assert layout.splits == ("train", "val")
    inside = {
        split: {str(p.image.relative_to(tmp_path)) for p in read(tmp_path, split)[0]}
        for split in layout.splits
    }
    assert inside["train"] | inside["val"] == set(names)
    assert not inside["train"] & inside["val"]
    # binomial: 200 pictures, a fifth of them, within four standard deviations of 5.7
    assert 40 - 23 <= len(inside["val"]) <= 40 + 23
    assert all(split_of(name) == split for split, found in inside.items() for name in found)


def test_the_split_of_a_name_never_changes():
    # sha256, by sha256sum, begins with 0x4676, 0x3ae3 and 0x13dc; a fifth of 2**256 with 0x3333
    splits = [split_of(name) for name in ("cat/0.jpg", "cat/8.jpg", "cat/3.jpg")]
    assert splits == ["train", "train", "val"]


def test_a_class_may_be_called_train(tmp_path):
    add(tmp_path, "bus/a.jpg", "train/b.jpg")
    assert open_folder(tmp_path).class_names == ("bus", "train")


def test_pictures_below_a_class_folder_are_of_the_class(tmp_path):
    add(tmp_path, "train/cat/2024/a.jpg", "train/cat/a.jpg")
    pictures, _ = read(tmp_path)
    assert [picture.image_id for picture in pictures] == ["cat/2024/a", "cat/a"]


def test_pictures_that_share_all_but_the_suffix_keep_it(tmp_path):
    add(tmp_path, "train/cat/a.jpg", "train/cat/a.png", "train/cat/b.png")
    pictures, _ = read(tmp_path)
    assert [picture.image_id for picture in pictures] == ["cat/a.jpg", "cat/a.png", "cat/b"]


def test_what_is_no_picture_by_name_is_left_to_the_judge(tmp_path):
    add(tmp_path, "train/cat/notes.txt", "train/cat/.hidden", "train/cat/Thumbs.db")
    pictures, _ = read(tmp_path)
    assert [picture.image.name for picture in pictures] == ["notes.txt"]


def test_a_class_without_a_picture_is_told(tmp_path):
    add(tmp_path, "train/cat/a.jpg")
    (tmp_path / "train/dog").mkdir()
    assert open_folder(tmp_path).class_names == ("cat", "dog")
    _, (defect,) = read(tmp_path)
    assert (defect.kind, defect.file) == ("empty_class", str(tmp_path / "train/dog"))


@pytest.mark.parametrize("above", ["train", "."], ids=["splits", "no splits"])
def test_a_picture_outside_the_class_folders_is_told(tmp_path, above):
    add(tmp_path / above, "cat/a.jpg", "lost.jpg", "README.md")
    _, (defect,) = read(tmp_path)
    assert (defect.kind, defect.file) == ("missing_class", str(tmp_path / above / "lost.jpg"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.jpg"], "expected a folder of pictures for each class; found none."),
        (["train/a.jpg", "val/b.jpg"], "its splits have no folders of classes."),
        (["train/cat/a.jpg", "dog/b.jpg"], "has folders of splits and others, dog."),
    ],
)
def test_another_arrangement_is_refused(tmp_path, names, message):
    add(tmp_path, *names)
    with pytest.raises(ValueError, match=re.escape(message)):
        open_folder(tmp_path)


def test_pets_are_37_breeds():
    layout = open_folder(shared_data("pets"))
    assert len(layout.class_names) == 37
    assert layout.splits == ("train", "val")
    found = {split: list(layout.pictures(split)) for split in layout.splits}
    assert {split: len(pictures) for split, pictures in found.items()} == {"train": 296, "val": 222}
    assert all(isinstance(picture, FoundPicture) for picture in found["train"] + found["val"])
