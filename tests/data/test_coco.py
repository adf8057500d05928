"""COCO JSON: what stands in the files, where they and the pictures are looked for."""

import json

import numpy as np
import pytest

from tests.data.tiny_sets import coco_row, coco_text, picture, write_coco_set
from tests.shared_data import shared_data
from zoo.data import load_source
from zoo.data.coco import open_coco
from zoo.data.layout import Defect
from zoo.run_lengths import decode_mask

pytestmark = pytest.mark.any_backend

POLYGON = [[4, 6, 20, 6, 20, 30, 4, 30]]
RUNS = {"size": [32, 48], "counts": [200, 100, 1236]}


def pictures(folder, split="train"):
    found = open_coco(folder).pictures(split)
    return {one.image_id: one for one in found if not isinstance(one, Defect)}


def load(folder, tmp_path, **options):
    return load_source("coco", path=folder, data_dir=str(tmp_path / "cache"), **options)


def annotations(folder):
    return folder / "annotations/instances_train.json"


def test_objects_are_what_the_annotation_says(tmp_path):
    row = coco_row(area=300.5, segmentation=POLYGON, iscrowd=1)
    _, folder = write_coco_set(tmp_path / "set", row)
    companion, thing = pictures(folder)["odd"].objects
    assert (thing.box, thing.name, thing.crowd) == ((4, 6, 20, 30), "cat", True)
    assert (thing.area, thing.segmentation, thing.line) == (300.5, POLYGON, 7)
    assert (companion.name, companion.crowd, companion.area) == ("dog", False, None)
    assert pictures(folder)["odd"].size == (32, 48)


def test_polygons_and_run_lengths_become_masks(tmp_path):
    rows = [coco_row(segmentation=POLYGON), coco_row(id=4, segmentation=RUNS, iscrowd=1)]
    _, folder = write_coco_set(tmp_path / "set", *rows)
    _, (_, _, truth) = load(folder, tmp_path).ground_truth("train", masks=True)
    nothing, polygon, runs = truth.masks
    assert not nothing.any()
    expected = np.zeros((32, 48), bool)
    expected[6:30, 4:20] = True
    np.testing.assert_array_equal(polygon, expected)
    columnwise = np.zeros(32 * 48, bool)
    columnwise[200:300] = True
    np.testing.assert_array_equal(runs, columnwise.reshape(48, 32).T)
    assert truth.crowd.tolist() == [False, False, True]


def test_ids_of_the_file_are_told(tmp_path):
    _, folder = write_coco_set(tmp_path / "set", coco_row())
    told = json.loads(annotations(folder).read_text())
    ids = load(folder, tmp_path).coco_ids("train")
    assert ids.categories == {row["name"]: row["id"] for row in told["categories"]}
    files = {row["id"]: row["file_name"] for row in told["images"]}
    assert {files[key].rpartition(".")[0]: key for key in files} == ids.images
    assert load_source("bananas").coco_ids is None


def test_masks_are_not_made_dense_unless_asked_for(tmp_path):
    _, folder = write_coco_set(tmp_path / "set", coco_row(segmentation=POLYGON))
    source = load(folder, tmp_path)
    assert [truth.masks for _, _, truth in source.ground_truth("train")] == [None, None]
    (_, _, none), (_, _, some) = source.ground_truth("train", masks=True)
    assert none.masks is None
    assert some.masks.shape == (2, 32, 48)


def test_compressed_run_lengths_are_kept_as_they_are(tmp_path):
    _, folder = write_coco_set(tmp_path / "set", coco_row(segmentation=RUNS))
    (_, mask) = list(load(folder, tmp_path).records("train").as_numpy_iterator())[1]["masks"]
    text = {"size": [32, 48], "counts": mask.decode()}
    _, other = write_coco_set(tmp_path / "other", coco_row(segmentation=text))
    (_, again) = list(load(other, tmp_path).records("train").as_numpy_iterator())[1]["masks"]
    assert again == mask
    assert decode_mask(mask, (32, 48)).sum() == 100


def test_classes_are_in_the_order_of_their_ids_over_all_splits(tmp_path):
    def edit(content):
        content["categories"] = [
            {"id": 9, "name": "emu"},
            {"id": 1, "name": "cat"},
            {"id": 2, "name": "dog"},
        ]

    _, folder = write_coco_set(tmp_path / "set", edit=edit)
    other = {"images": [], "annotations": [], "categories": [{"id": 5, "name": "ape"}]}
    (folder / "annotations/instances_val.json").write_text(coco_text(other))
    assert open_coco(folder).class_names == ("cat", "dog", "ape", "emu")


@pytest.mark.parametrize(
    ("annotation_file", "picture_folder"),
    [
        ("annotations/instances_train.json", "train"),
        ("annotations/instances_train.json", "images"),
        ("annotations/instances_train.json", "images/train"),
        ("annotations/instances_train2017.json", "train2017"),
        ("annotations/instances_train2017.json", "images/train2017"),
        ("annotations/train.json", "."),
        ("train.json", "train"),
        ("train/_annotations.coco.json", "train"),
    ],
)
def test_files_and_pictures_are_found_by_looking(annotation_file, picture_folder, tmp_path):
    _, folder = write_coco_set(tmp_path / "set", coco_row())
    for file in sorted((folder / "train").iterdir()):
        target = folder / picture_folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    target = folder / annotation_file
    target.parent.mkdir(parents=True, exist_ok=True)
    annotations(folder).rename(target)
    layout = open_coco(folder)
    assert layout.splits == ("train",)
    found = list(layout.pictures("train"))
    assert [one.image for one in found] == [
        folder / picture_folder / name for name in ("good.jpg", "odd.jpg")
    ]


def test_a_single_file_is_a_set_of_one_split(tmp_path):
    _, folder = write_coco_set(tmp_path / "set", coco_row())
    layout = open_coco(annotations(folder))
    assert layout.splits == ("train",)
    with pytest.raises(ValueError, match=r"none of its pictures is found, such as 'good\.jpg'"):
        list(layout.pictures("train"))
    annotations(folder).rename(folder / "train" / "mine.json")
    assert list(pictures(folder / "train" / "mine.json", "mine")) == ["good", "odd"]


def test_names_with_folders_and_backslashes_are_followed(tmp_path):
    def edit(content):
        content["images"][0]["file_name"] = "a\\good.jpg"
        content["images"][1]["file_name"] = "a/odd.jpg"

    _, folder = write_coco_set(tmp_path / "set", edit=edit)
    (folder / "train/a").mkdir()
    for name in ("good.jpg", "odd.jpg"):
        (folder / "train" / name).rename(folder / "train/a" / name)
    assert load(folder, tmp_path).size("train") == 2
    assert list(pictures(folder)) == ["a/good", "a/odd"]


def test_pictures_that_differ_in_the_suffix_keep_it_in_their_ids(tmp_path):
    _, folder = write_coco_set(tmp_path / "set", name="good.png", image=picture("PNG"))
    assert list(pictures(folder)) == ["good.jpg", "good.png"]


def test_pictures_of_two_splits_may_share_a_folder(tmp_path):
    _, folder = write_coco_set(tmp_path / "set", coco_row())
    content = json.loads(annotations(folder).read_text())
    content["images"], content["annotations"] = [{"id": 7, "file_name": "third.jpg"}], []
    (folder / "annotations/instances_val.json").write_text(json.dumps(content))
    (folder / "train").rename(folder / "images")
    (folder / "images/third.jpg").write_bytes(picture())
    (folder / "images/fourth.jpg").write_bytes(picture())
    layout = open_coco(folder)
    told = {
        split: [one for one in layout.pictures(split) if isinstance(one, Defect)]
        for split in layout.splits
    }
    assert [one.file for one in told["train"]] == [str(folder / "images/fourth.jpg")]
    assert told["val"] == []


def test_picture_without_annotations_or_size_is_kept(tmp_path):
    def edit(content):
        content["images"][1] = {"id": 2, "file_name": "odd.jpg"}
        content["annotations"] = []

    _, folder = write_coco_set(tmp_path / "set", edit=edit)
    assert load(folder, tmp_path).size("train") == 2
    assert pictures(folder)["odd"].size is None


def edited(key, value):
    def edit(content):
        content[key] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content.pop("annotations"), r"json: expected the lists .*; got no annota"),
        (edited("images", {"id": 1}), r"json:1: images must be a list; got \{'id': 1\}"),
        (
            edited("categories", [{"id": 1}]),
            r"json:\d: a category must have id and name; got \{'id",
        ),
        (edited("categories", [{"id": "1", "name": "a"}]), r"id must be a whole number; got '1'"),
        (edited("categories", [{"id": 1, "name": ""}]), r"name must be a text; got ''"),
        (
            edited("categories", [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]),
            r"json:\d\d?: category 1 is 'a' already; got 'b' too",
        ),
        (edited("categories", []), r"no categories in instances_train\.json"),
    ],
)
def test_file_that_is_no_coco_is_refused_with_its_line(edit, message, tmp_path):
    _, folder = write_coco_set(tmp_path / "set", edit=edit)
    with pytest.raises(ValueError, match=message):
        open_coco(folder)


def test_folder_without_annotations_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected annotations/instances_<split>\.json, .*voc or"):
        open_coco(tmp_path)
    with pytest.raises(ValueError, match=r"nowhere: expected a COCO folder.*there is none"):
        open_coco(tmp_path / "nowhere")


def test_balloons(tmp_path):
    source = load(shared_data("balloon_coco"), tmp_path)
    found = [source.inspect(split) for split in ("train", "val")]
    assert [(one.size, one.boxes, dict(one.defects)) for one in found] == [
        (61, 255, {}),
        (13, 50, {}),
    ]
    for _, _, truth in source.ground_truth("val", masks=True):
        painted = truth.masks.sum(axis=(1, 2))
        # an annotated area is the polygon's own, a mask counts pixels: edges differ
        np.testing.assert_allclose(painted, truth.areas, rtol=0.1)
        for mask, box in zip(truth.masks, truth.boxes, strict=True):
            rows, columns = np.nonzero(mask)
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            # a polygon's thin end may cover no pixel's centre
            np.testing.assert_allclose(edges, box, atol=2)
