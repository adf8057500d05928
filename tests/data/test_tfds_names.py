"""Sets of tensorflow_datasets: which features count, and what their boxes become."""

import io
import re
from typing import ClassVar

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets import features as kinds

from zoo.data import parse_spec
from zoo.data.tfds_names import find_objects, open_tfds

pytestmark = pytest.mark.any_backend

NAMES = ["cat", "dog", "emu"]


def encoded(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((32, 64, 3), shade, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


class _Local(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Writes its `examples` instead of downloading any."""

    VERSION = tfds.core.Version("1.0.0")
    code_path = None
    features: ClassVar[dict]
    examples: ClassVar[dict]

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=kinds.FeaturesDict(self.features))

    def _split_generators(self, _):
        return {split: self._generate_examples(split) for split in self.examples}

    def _generate_examples(self, split):
        yield from enumerate(self.examples[split])


class LikeCoco(_Local):
    """The features of `coco/2017`."""

    features: ClassVar = {
        "image": kinds.Image(),
        "image/filename": kinds.Text(),
        "image/id": np.int64,
        "objects": kinds.Sequence(
            {
                "area": np.int64,
                "bbox": kinds.BBoxFeature(),
                "id": np.int64,
                "is_crowd": np.bool_,
                "label": kinds.ClassLabel(names=NAMES),
            }
        ),
    }
    examples: ClassVar = {
        "train": [
            {
                "image": encoded(10),
                "image/filename": "000009.jpg",
                "image/id": 9,
                "objects": [
                    {
                        "area": 77,
                        "bbox": kinds.BBox(ymin=0.125, xmin=0.25, ymax=0.5, xmax=1.0),
                        "id": 1,
                        "is_crowd": False,
                        "label": "dog",
                    },
                    {
                        "area": 512,
                        "bbox": kinds.BBox(ymin=0.0, xmin=0.0, ymax=1.0, xmax=0.25),
                        "id": 2,
                        "is_crowd": True,
                        "label": "emu",
                    },
                ],
            },
            {"image": encoded(20), "image/filename": "000010.jpg", "image/id": 10, "objects": []},
        ],
        "validation": [
            {"image": encoded(30), "image/filename": "000011.jpg", "image/id": 11, "objects": []}
        ],
    }


class LikeVoc(_Local):
    """The features of `voc/2007`, with several classes an object."""

    features: ClassVar = {
        "image": kinds.Image(),
        "image/filename": kinds.Text(),
        "labels": kinds.Sequence(kinds.ClassLabel(names=NAMES)),
        "objects": kinds.Sequence(
            {
                "bbox": kinds.BBoxFeature(),
                "is_difficult": np.bool_,
                "is_truncated": np.bool_,
                "label": kinds.ClassLabel(names=NAMES),
                "pose": kinds.ClassLabel(names=["left", "right"]),
            }
        ),
    }
    examples: ClassVar = {
        "test": [
            {
                "image": encoded(40),
                "image/filename": "000001.jpg",
                "labels": ["cat"],
                "objects": [
                    {
                        "bbox": kinds.BBox(ymin=0.5, xmin=0.25, ymax=1.0, xmax=0.75),
                        "is_difficult": True,
                        "is_truncated": False,
                        "label": "cat",
                        "pose": "right",
                    }
                ],
            }
        ]
    }


class LikeKitti(_Local):
    """Objects whose class is a `type`, beside another ClassLabel that comes first by name."""

    features: ClassVar = {
        "image": kinds.Image(),
        "objects": kinds.Sequence(
            {
                "bbox": kinds.BBoxFeature(),
                "occluded": kinds.ClassLabel(num_classes=4),
                "type": kinds.ClassLabel(names=NAMES),
            }
        ),
    }
    examples: ClassVar = {"train": []}


@pytest.fixture(autouse=True)
def cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    return tmp_path


def test_boxes_crowds_and_areas_of_coco():
    layout = open_tfds(LikeCoco.name)
    assert (layout.class_names, layout.splits) == (tuple(NAMES), ("train", "val"))
    first, second = layout.pictures("train")
    assert (first.image_id, second.image_id) == ("000009", "000010")
    assert first.image == encoded(10)  # as it was stored, not decoded
    dog, emu = first.objects
    assert (dog.name, dog.box, dog.crowd, dog.area) == ("dog", (0.25, 0.125, 1, 0.5), False, 77)
    assert (emu.name, emu.box, emu.crowd, emu.area) == ("emu", (0, 0, 0.25, 1), True, 512)
    assert (first.unit, second.objects) == ("fractions", ())
    assert [picture.image_id for picture in layout.pictures("val")] == ["000011"]


def test_objects_of_voc_that_are_difficult_are_crowds():
    (picture,) = open_tfds(LikeVoc.name).pictures("test")
    (thing,) = picture.objects
    assert (thing.name, thing.box, thing.crowd) == ("cat", (0.25, 0.5, 0.75, 1), True)
    assert thing.area is None


def test_a_class_that_is_called_type_comes_before_others():
    assert find_objects("kitti", kinds.FeaturesDict(LikeKitti.features)).label == "type"


def test_a_spec_gives_records_of_the_one_shape():
    source, split = parse_spec(f"tfds:{LikeCoco.name}@train")
    assert split == "train"
    first, second = source.records(split).as_numpy_iterator()
    assert first["boxes"].tolist() == [[0.25, 0.125, 1, 0.5], [0, 0, 0.25, 1]]
    assert first["labels"].tolist() == [1, 2]
    assert first["crowd"].tolist() == [False, True]
    # float32 of square pixels over those of a picture of 64x32
    assert first["area"].tolist() == [np.float32(77 / 2048), 0.25]
    assert (first["height"], first["width"]) == (32, 64)
    assert second["image"] == encoded(20)


def test_a_prepared_set_is_not_prepared_again(monkeypatch):
    open_tfds(LikeCoco.name)
    monkeypatch.delattr(_Local, "_generate_examples")
    assert len(list(open_tfds(LikeCoco.name).pictures("train"))) == 2


@pytest.mark.parametrize(
    ("features", "told"),
    [
        (
            {"image": kinds.Image(), "label": kinds.ClassLabel(names=NAMES)},
            "it has image: Image, label: ClassLabel.",
        ),
        (
            {"image": kinds.Image(), "faces": kinds.Sequence({"bbox": kinds.BBoxFeature()})},
            "it has image: Image, faces: Sequence.",
        ),
    ],
    ids=["like cifar10", "like wider_face"],
)
def test_a_set_without_boxes_and_classes_tells_what_it_has(features, told):
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        find_objects("other", kinds.FeaturesDict(features))
    assert "tfds:other must have a sequence of objects with a BBoxFeature" in str(caught.value)


def test_an_unknown_set_gets_near_names(tmp_path):
    with pytest.raises(ValueError, match=r"tfds:cocoo: TFDS has no such set\. Did you mean .*coco"):
        open_tfds("cocoo", tfds_dir=str(tmp_path))


def test_an_unknown_config_is_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="BuilderConfig 2050 not found") as caught:
        open_tfds("voc/2050", tfds_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_set_that_cannot_be_fetched_tells_where_it_belongs(monkeypatch, tmp_path):
    def split_generators(self, dl_manager):
        dl_manager.download("http://127.0.0.1:9/voc.tar")  # the port that discards: nobody listens

    monkeypatch.setattr(LikeVoc, "_split_generators", split_generators)
    # ten tries of TFDS, each after twice the wait of the one before, would take three minutes
    monkeypatch.setattr("tensorflow_datasets.core.download.downloader.MAX_RETRIES", 0)
    with pytest.raises(ValueError, match="cannot be reached") as caught:
        open_tfds(LikeVoc.name)
    assert "http://127.0.0.1:9/voc.tar" in str(caught.value)
    assert f"A set prepared elsewhere goes to {tmp_path}/tfds/like_voc" in str(caught.value)
