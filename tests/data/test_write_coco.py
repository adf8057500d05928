"""Written as COCO JSON and read back, a data set is the same."""

import pytest
from pycocotools.coco import COCO

from tests.data.mask_sets import write_mask_folders
from tests.data.test_judge import marked
from tests.data.test_sources import in_memory, record
from tests.data.tiny_sets import (
    coco_row,
    picture,
    turned,
    voc_object,
    voc_xml,
    write_coco_set,
    write_voc,
)
from zoo.data import load_source, write_coco

pytestmark = pytest.mark.any_backend

POLYGON = [[4, 6, 20, 6, 20, 30]]


def read(form, path, tmp_path):
    return load_source(form, path=path, data_dir=str(tmp_path / "cache"))


def copy(source, tmp_path, **options):
    write_coco(source, tmp_path / "copy", **options)
    return read("coco", tmp_path / "copy", tmp_path)


@pytest.mark.parametrize(
    "image",
    [picture(), picture("PNG", "RGBA"), picture("TIFF", "I;16"), turned(6), marked(3)],
    ids=["jpeg", "alpha", "16-bit", "turned", "upside down"],
)
def test_digest_survives_the_copy(image, tmp_path):
    hard = voc_object((0.3, 1.7, 5.1, 30.9), "dog", "<difficult>1</difficult>")
    xml = voc_xml(voc_object((1, 2, 7, 9)), hard, size=None)
    suffix = {b"\xff\xd8": "jpg", b"\x89P": "png", b"II": "tif"}[image[:2]]
    written = write_voc(tmp_path / "set", xml=xml, image=image, name=f"odd.{suffix}")
    source = read(*written, tmp_path)
    again = copy(source, tmp_path)
    assert again.class_names == source.class_names
    assert again.splits == source.splits
    assert again.digest("train") == source.digest("train")


def test_masks_areas_and_crowds_survive_the_copy(tmp_path):
    rows = [coco_row(segmentation=POLYGON, area=99.5), coco_row(id=4, iscrowd=1)]
    source = read(*write_coco_set(tmp_path / "set", *rows), tmp_path)
    again = copy(source, tmp_path)
    assert again.digest("train") == source.digest("train")
    masks = [one["masks"].tolist() for one in again.records("train").as_numpy_iterator()]
    assert any(masks[1])


def test_cocos_own_tools_read_it(tmp_path, capsys):
    rows = [coco_row(segmentation=POLYGON)]
    copy(read(*write_coco_set(tmp_path / "set", *rows), tmp_path), tmp_path)
    api = COCO(str(tmp_path / "copy/annotations/instances_train.json"))
    assert [image["file_name"] for image in api.loadImgs(api.getImgIds())] == [
        "good.jpg",
        "odd.jpg",
    ]
    assert [category["name"] for category in api.loadCats(api.getCatIds())] == ["cat", "dog"]
    assert sorted(api.getAnnIds()) == [1, 2, 3]
    assert api.annToMask(api.loadAnns(3)[0]).sum() > 0


def test_painted_bananas_survive_the_copy(bananas, tmp_path):
    again = copy(bananas, tmp_path, splits=["val"], limit=3)
    kept = [one["image_id"] for one in again.records("val").as_numpy_iterator()]
    assert kept == [one["image_id"] for one in bananas.records("val", 3).as_numpy_iterator()]
    assert again.splits == ("val",)


def test_folder_that_has_the_split_is_refused(tmp_path):
    source = read(*write_coco_set(tmp_path / "set"), tmp_path)
    with pytest.raises(ValueError, match="has a split train already"):
        write_coco(source, tmp_path / "set")


def test_id_that_leads_elsewhere_is_refused(tmp_path):
    for number, image_id in enumerate(("../a", "/a", "b/../../a")):
        source = in_memory([record(image_id) | {"image": picture()}])
        with pytest.raises(ValueError, match="is no name for a file inside"):
            write_coco(source, tmp_path / str(number))
    assert list(tmp_path.rglob("*.jpg")) == []


def test_stopped_writer_leaves_no_annotation_file(tmp_path):
    broken = in_memory([record("a") | {"image": picture()}, record("../b")])
    with pytest.raises(ValueError, match="no name for a file"):
        write_coco(broken, tmp_path / "copy")
    assert list((tmp_path / "copy/annotations").glob("*.json")) == []


def test_segmented_pictures_are_refused(tmp_path):
    form, path = write_mask_folders(tmp_path / "set")
    source = load_source(form, path=path, data_dir=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="has no objects, which COCO's layout is for"):
        write_coco(source, tmp_path / "coco")
