"""Pascal VOC folders: what stands in the files, lists and where pictures are looked for."""

import pytest

from tests.data.tiny_sets import BOX, COMPANION, picture, voc_object, voc_xml, write_voc
from tests.shared_data import shared_data
from zoo.data import load_source
from zoo.data.layout import Defect
from zoo.data.voc import open_voc

pytestmark = pytest.mark.any_backend


def pictures(folder, split="train", **options):
    return {found.image_id: found for found in open_voc(folder, **options).pictures(split)}


def test_objects_are_what_the_annotation_says(tmp_path):
    _, folder = write_voc(tmp_path / "set", voc_object(extra="<difficult>1</difficult>\n"))
    first, second = pictures(folder)["odd"].objects
    assert (first.box, first.name, first.crowd, first.line) == (BOX, "cat", True, 3)
    assert (second.box, second.name, second.crowd) == (COMPANION, "cat", False)
    assert pictures(folder)["odd"].size == (32, 48)


def test_classes_are_sorted_unless_a_list_is_given(tmp_path):
    _, folder = write_voc(tmp_path / "set", voc_object(name="ape"))
    assert open_voc(folder).class_names == ("ape", "cat", "dog")
    assert open_voc(folder, class_names=["dog", "cat"]).class_names == ("dog", "cat")
    source = load_source(
        "voc",
        path=folder,
        class_names=["dog", "cat"],
        on_defect="skip",
        data_dir=str(tmp_path / "cache"),
    )
    assert source.skipped("train") == {"unknown_class": 1}
    assert "the class 'ape' is not one of" in str(next(source.defects("train")))


def test_parts_of_an_object_are_no_objects(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>\n"
    _, folder = write_voc(tmp_path / "set", voc_object(extra=part))
    assert [thing.name for thing in pictures(folder)["odd"].objects] == ["cat", "cat"]
    assert open_voc(folder).class_names == ("cat", "dog")


def test_train_val_and_test_come_first_and_lists_of_a_class_are_no_splits(tmp_path):
    _, folder = write_voc(tmp_path / "set")
    for name in ("val", "extra", "test", "cat_train", "cat_val", "trainval"):
        (folder / f"ImageSets/Main/{name}.txt").write_text("good 1\nodd -1\n")
    assert open_voc(folder).splits == ("train", "val", "test", "extra", "trainval")
    assert list(pictures(folder, "val")) == ["good", "odd"]


def test_folder_without_lists_is_one_split(tmp_path):
    _, folder = write_voc(tmp_path / "set")
    (folder / "ImageSets/Main/train.txt").unlink()
    assert open_voc(folder).splits == ("all",)
    assert list(pictures(folder, "all")) == ["good", "odd"]


@pytest.mark.parametrize("name", ["odd.jpeg", "odd.JPG", "odd.png", "odd.v2.jpg"])
def test_picture_is_found_whatever_its_suffix(name, tmp_path):
    stem = name.rpartition(".")[0]
    _, folder = write_voc(tmp_path / "set", name=name, listed=f"good\n{stem}\n")
    assert pictures(folder)[stem].image == folder / "JPEGImages" / name


def test_list_may_have_suffixes_blank_lines_and_a_byte_order_mark(tmp_path):
    _, folder = write_voc(tmp_path / "set", listed="\ufeffgood.jpg\r\n\r\nodd.jpg  \r\n")
    assert list(pictures(folder)) == ["good", "odd"]


def test_picture_that_only_the_annotation_names_is_found(tmp_path):
    xml = voc_xml().replace("<annotation>", "<annotation><filename>c:/x/other.gif</filename>")
    _, folder = write_voc(tmp_path / "set", xml=xml)
    (folder / "JPEGImages/odd.jpg").rename(folder / "JPEGImages/other.bmp")
    (found,) = [one for one in open_voc(folder).pictures("train") if isinstance(one, Defect)]
    assert found.kind == "annotation_without_picture"
    (folder / "JPEGImages/other.bmp").rename(folder / "JPEGImages/other.gif")
    assert pictures(folder)["odd"].image == folder / "JPEGImages/other.gif"


@pytest.mark.parametrize(
    "size", [None, "<width>0</width><height>0</height>", "<depth>3</depth>", "<width/><height/>"]
)
def test_size_that_says_nothing_is_none(size, tmp_path):
    _, folder = write_voc(tmp_path / "set", xml=voc_xml(size=size))
    assert pictures(folder)["odd"].size is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_annotation_may_have_any_encoding_it_declares(encoding, tmp_path):
    head = "" if encoding == "utf-8-sig" else f'<?xml version="1.0" encoding="{encoding}"?>'
    xml = (head + voc_xml(voc_object(name="käfer"))).encode(encoding)
    _, folder = write_voc(tmp_path / "set", xml=xml)
    assert pictures(folder)["odd"].objects[0].name == "käfer"


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere: expected a Pascal VOC folder.*Is the path ri"):
        open_voc(tmp_path / "nowhere")
    _, folder = write_voc(tmp_path / "set")
    (folder / "JPEGImages").rename(folder / "Pictures")
    with pytest.raises(ValueError, match=r"JPEGImages: expected the JPEGImages of a Pascal VOC"):
        open_voc(folder)


def test_annotations_without_a_class_are_refused(tmp_path):
    _, folder = write_voc(tmp_path / "set", xml="<annotation/>", listed="odd")
    with pytest.raises(ValueError, match="Annotations: no annotation has an object with a name"):
        open_voc(folder)


def test_picture_without_objects_is_kept(tmp_path):
    _, folder = write_voc(tmp_path / "set", xml="<annotation/>", image=picture(mode="L"))
    source = load_source("voc", path=folder, data_dir=str(tmp_path / "cache"))
    assert source.size("train") == 2
    assert source.inspect("train").boxes == 2


def test_blood_cells(tmp_path):
    path = shared_data("bccd/BCCD")
    source = load_source("voc", path=path, on_defect="skip", data_dir=str(tmp_path))
    assert source.class_names == ("Platelets", "RBC", "WBC")
    found = {split: source.inspect(split) for split in ("train", "val", "test")}
    assert [one.size for one in found.values()] == [205, 87, 72]
    assert sum(one.boxes for one in found.values()) == 4888 - 2
    assert [dict(one.defects) for one in found.values()] == [
        {"degenerate_box": 1}, {"degenerate_box": 1}, {},
    ]  # fmt: skip
    (defect,) = source.defects("train")
    assert str(defect).endswith(
        "BloodImage_00343.xml:50: a box of no width or height, (181, 329, 181, 329)."
    )
