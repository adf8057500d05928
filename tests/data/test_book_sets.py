"""The book's sets: their archives' layout, from a stand-in server to records."""

import hashlib
import io
import logging
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tests.data.local_server import serve
from zoo.data import load_source, parse_spec
from zoo.data.book_sets import BananaDetection, Hotdog
from zoo.data.download import Archive

pytestmark = pytest.mark.any_backend

TRAIN_ROWS = {"0.png": (104, 20, 143, 58), "1.png": (68, 175, 118, 223)}
VAL_ROWS = {"0.png": (183, 63, 241, 112)}


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((256, 256, 3), shade, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: dict) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def bananas() -> bytes:
    """The layout of banana-detection.zip."""
    files = {}
    for split, rows in (("train", TRAIN_ROWS), ("val", VAL_ROWS)):
        folder = f"banana-detection/bananas_{split}"
        table = [f"{name},0,{','.join(map(str, box))}\n" for name, box in rows.items()]
        files[f"{folder}/label.csv"] = "img_name,label,xmin,ymin,xmax,ymax\n" + "".join(table)
        files |= {f"{folder}/images/{name}": picture(shade) for shade, name in enumerate(rows)}
    return zipped(files)


def hotdogs() -> bytes:
    """The layout of hotdog.zip."""
    names = ["train/hotdog/0", "train/hotdog/1", "train/not-hotdog/0", "test/not-hotdog/1000"]
    return zipped({f"hotdog/{name}.png": picture(shade) for shade, name in enumerate(names)})


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Serve tiny archives in the place of the book's, checked by their own checksums."""
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    with serve() as server:
        monkeypatch.setenv("ZOO_DATA_URL", server.url)
        for builder_class, content in ((BananaDetection, bananas()), (Hotdog, hotdogs())):
            file = builder_class.archive.file
            server.files[f"/{file}"] = content
            sha1 = hashlib.sha1(content).hexdigest()
            monkeypatch.setattr(
                builder_class, "archive", Archive(file, sha1, "http://nowhere.invalid/")
            )
        yield server


def test_addresses_and_checksums_are_the_books(monkeypatch):
    # d2l.DATA_HUB["banana-detection"] and ["hotdog"], d2l 1.0.3
    monkeypatch.delenv("ZOO_DATA_URL", raising=False)
    published = "http://d2l-data.s3-accelerate.amazonaws.com/"
    assert BananaDetection.archive.url == f"{published}banana-detection.zip"
    assert BananaDetection.archive.sha1 == "5de26c8fce5ccdea9f91267273464dc968d20d72"
    assert Hotdog.archive.url == f"{published}hotdog.zip"
    assert Hotdog.archive.sha1 == "fba480ffa8aa7e0febbb511d181409f899b9baa5"


def test_bananas_are_records_with_a_box_each(server):
    source = load_source("banana_detection")
    assert (source.name, source.class_names, source.splits) == (
        "banana_detection",
        ("banana",),
        ("train", "val"),
    )
    for split, rows in (("train", TRAIN_ROWS), ("val", VAL_ROWS)):
        records = {r["image_id"].decode(): r for r in source.records(split).as_numpy_iterator()}
        assert len(records) == len(rows)
        for shade, (name, box) in enumerate(rows.items()):
            record = records[name.removesuffix(".png")]
            # 256ths, which float32 holds exactly
            assert (record["boxes"][0] * 256).tolist() == list(box)
            assert record["labels"].tolist() == [0]
            assert record["image"] == picture(shade)
        assert source.skipped(split) == {}


def test_hot_dogs_are_records_with_a_label_each(server):
    source = load_source("hotdog")
    assert (source.class_names, source.splits) == (("hotdog", "not-hotdog"), ("train", "test"))
    records = {r["image_id"].decode(): r for r in source.records("train").as_numpy_iterator()}
    assert {name: record["labels"].tolist() for name, record in records.items()} == {
        "hotdog/0": [0],
        "hotdog/1": [0],
        "not-hotdog/0": [1],
    }
    assert records["hotdog/1"]["boxes"].tolist() == [[0, 0, 1, 1]]


def test_a_second_start_asks_the_server_for_nothing(server):
    digest = load_source("banana_detection").digest("train")
    assert load_source("banana_detection").digest("train") == digest
    assert server.requests == ["/banana-detection.zip"]


def test_tfds_loads_them_by_name_in_its_own_shape(server, tmp_path):
    dataset = tfds.load("banana_detection", split="val", data_dir=str(tmp_path / "own"))
    (example,) = tfds.as_numpy(dataset)
    assert example["image"].shape == (256, 256, 3)
    left, top, right, bottom = VAL_ROWS["0.png"]
    assert (example["objects"]["bbox"] * 256).tolist() == [[top, left, bottom, right]]
    assert tfds.builder("hotdog", data_dir=str(tmp_path)).info.features["label"].names == [
        "hotdog",
        "not-hotdog",
    ]


def test_the_catalogue_of_tfds_has_them_for_specs(server):
    source, split = parse_spec("tfds:banana_detection@val")
    assert source.size(split) == 1


def test_a_damaged_archive_is_refused(server):
    content = bytearray(server.files["/banana-detection.zip"])
    content[100] ^= 1
    server.files["/banana-detection.zip"] = bytes(content)
    with pytest.raises(ValueError, match="the file has another sha1 than"):
        load_source("banana_detection")


def test_a_row_that_cannot_be_used_is_logged(server, monkeypatch, caplog):
    table = "img_name,label,xmin,ymin,xmax,ymax\n0.png,0,1,2,3,4\n0.png,0,1\n"
    files = {
        "set/bananas_train/label.csv": table,
        "set/bananas_train/images/0.png": picture(0),
    }
    content = zipped(files)
    server.files["/banana-detection.zip"] = content
    sha1 = hashlib.sha1(content).hexdigest()
    monkeypatch.setattr(BananaDetection, "archive", Archive("banana-detection.zip", sha1, ""))
    with caplog.at_level(logging.WARNING, "zoo.data.book_sets"):
        assert load_source("banana_detection").size("train") == 1
    assert "label.csv:3: expected 6 values; got 3." in caplog.text
