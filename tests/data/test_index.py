"""The index in the cache: made once, noticed when old, whole or not there, of constant memory."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.data.tiny_sets import coco_row, picture, voc_object, voc_xml, write_coco_set, write_voc
from zoo.data import load_source
from zoo.data.cache import state_of
from zoo.data.source import RECORD_SPEC
from zoo.pictures import read_picture

pytestmark = pytest.mark.any_backend

SLOW_READER = """
import sys, time
from pathlib import Path
from zoo.data.indexed import open_indexed
from zoo.data.layout import FoundPicture, Layout

folder, cache, count, seconds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

def opener(path):
    def pictures(split):
        for number in range(count):
            time.sleep(seconds)
            yield FoundPicture(path / "JPEGImages/good.jpg", f"{number}", (), "made up")
    return Layout("made", ("cat",), ("train",), pictures)

source = open_indexed("made", opener, folder, data_dir=cache)
print(source.size("train"), source.digest("train"))
"""


def load(written, tmp_path, **options):
    form, path = written
    return load_source(form, path=path, data_dir=str(tmp_path / "cache"), **options)


def index_files(tmp_path):
    found = (tmp_path / "cache").rglob("*.*")
    return {path: path.stat().st_mtime_ns for path in found if path.is_file()}


def start(folder, cache, count, seconds=0.0):
    return subprocess.Popen(
        [sys.executable, "-c", SLOW_READER, folder, cache, str(count), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
    )


def test_records_are_of_the_one_shape_and_hold_the_files_bytes(tmp_path):
    polygon = [[4, 6, 20, 6, 20, 30]]
    written = write_coco_set(tmp_path / "set", coco_row(area=96, iscrowd=1, segmentation=polygon))
    source = load(written, tmp_path)
    for name, spec in source.records("train").element_spec.items():
        assert spec.dtype == RECORD_SPEC[name].dtype
        assert RECORD_SPEC[name].shape.is_compatible_with(spec.shape)
    good, odd = source.records("train").as_numpy_iterator()
    assert odd["image"] == (written[1] / "train/odd.jpg").read_bytes()
    assert odd["image_id"] == b"odd"
    sides = np.array([48, 32, 48, 32], np.float32)
    np.testing.assert_array_equal(odd["boxes"] * sides, [[24, 8, 40, 24], [4, 6, 20, 30]])
    assert odd["labels"].tolist() == [1, 0]
    assert odd["crowd"].tolist() == [False, True]
    np.testing.assert_array_equal(odd["area"], np.float32([256 / 1536, 96 / 1536]))
    assert (odd["height"], odd["width"]) == (32, 48)
    assert [bool(mask) for mask in odd["masks"]] == [False, True]
    assert good["labels"].tolist() == [1]


def test_entries_hold_no_picture(tmp_path):
    xml = voc_xml(size=None)
    source = load(write_voc(tmp_path / "set", xml=xml, image=picture(size=(600, 800))), tmp_path)
    entries = list(source.entries("train").as_numpy_iterator())
    assert max(len(entry["image"]) for entry in entries) < 300
    loaded = source.load_picture(entries[1]["image"]).numpy()
    assert read_picture(loaded).shape == (600, 800, 3)


def test_inspection_tells_what_reading_the_records_would(tmp_path):
    source = load(write_voc(tmp_path / "set", voc_object(), voc_object()), tmp_path)
    told, read = source.inspect("train"), source._read_through("train")
    assert told == read
    assert (told.size, told.boxes, told.most_boxes, told.most_boxes_in) == (2, 5, 3, "odd")
    assert told.label_counts == {0: 4, 1: 1}


def test_second_start_writes_and_reads_nothing_but_the_index(tmp_path):
    written = write_voc(tmp_path / "set", voc_object())
    first = load(written, tmp_path)
    digest, before = first.digest("train"), index_files(tmp_path)
    opened = []
    sys.addaudithook(lambda event, found: opened.append(found[0]) if event == "open" else None)
    again = load(written, tmp_path)
    assert again.digest("train") == digest
    assert again.class_names == first.class_names
    inside = [one for one in opened if str(written[1]) in os.fsdecode(one or "")]
    assert inside == []
    assert index_files(tmp_path) == before


def test_skipping_and_stopping_share_an_index(tmp_path):
    written = write_voc(tmp_path / "set", voc_object((1, 1, 1, 1)))
    with pytest.raises(ValueError, match="degenerate_box"):
        load(written, tmp_path).size("train")
    before = index_files(tmp_path)
    assert load(written, tmp_path, on_defect="skip").skipped("train") == {"degenerate_box": 1}
    assert index_files(tmp_path) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "JPEGImages/odd.jpg").write_bytes(picture(quality=30)),
        lambda folder: (folder / "Annotations/odd.xml").write_text(voc_xml(voc_object(name="emu"))),
        lambda folder: (folder / "ImageSets/Main/train.txt").write_text("odd\n"),
        lambda folder: (folder / "JPEGImages/odd.jpg").unlink(),
    ],
    ids=["picture", "annotation", "list", "picture removed"],
)
def test_change_on_the_disk_is_noticed(change, tmp_path):
    written = write_voc(tmp_path / "set")
    before = load(written, tmp_path, on_defect="skip").digest("train")
    change(written[1])
    assert load(written, tmp_path, on_defect="skip").digest("train") != before


def test_split_that_appears_is_noticed(tmp_path):
    written = write_voc(tmp_path / "set")
    assert load(written, tmp_path).splits == ("train",)
    (written[1] / "ImageSets/Main/val.txt").write_text("good\n")
    assert load(written, tmp_path).splits == ("train", "val")


def test_damaged_index_is_made_anew(tmp_path):
    written = write_voc(tmp_path / "set")
    digest = load(written, tmp_path).digest("train")
    (records,) = (tmp_path / "cache").rglob("*.tfrecord")
    records.write_bytes(records.read_bytes()[:-9])
    again = load(written, tmp_path)
    assert again.digest("train") == digest
    assert len(list(again.records("train"))) == 2


def test_index_of_an_old_state_is_cleared_after_a_week(tmp_path):
    written = write_voc(tmp_path / "set")
    load(written, tmp_path).size("train")
    (old,) = (tmp_path / "cache").rglob("*.tfrecord")
    for days, kept in ((6, True), (8, False)):
        os.utime(old, (time.time() - days * 86400,) * 2)
        (written[1] / f"note{days}").touch()
        load(written, tmp_path).size("train")
        assert old.exists() == kept


@pytest.mark.slow
def test_killed_reader_leaves_nothing_that_hinders_the_next(tmp_path):
    write_voc(tmp_path / "set")
    folder, cache = str(tmp_path / "set"), str(tmp_path / "cache")
    killed = start(folder, cache, 100_000, 0.001)
    deadline = time.monotonic() + 120
    while not list(Path(cache).rglob("*.tfrecord.part")):
        assert time.monotonic() < deadline
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    others = [start(folder, cache, 50) for _ in range(2)]
    reports = [other.communicate()[0].splitlines()[0] for other in others]
    assert len(set(reports)) == 1
    assert reports[0].startswith("50 ")
    assert list(Path(cache).rglob("*.part")) == []
    assert len(list(Path(cache).rglob("*.tfrecord"))) == 1


def test_split_without_a_usable_picture_is_refused(tmp_path):
    written = write_voc(tmp_path / "set", image=b"", listed="odd\n")
    source = load(written, tmp_path, on_defect="skip")
    assert source.size("train") == 0
    with pytest.raises(
        ValueError, match=r"@train: no picture in it can be used\. See `zoo data ch"
    ):
        source.records("train")


def test_state_follows_links_and_survives_their_circles(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (outside / "back").symlink_to(inside)
    (inside / "itself").symlink_to(inside / "itself")
    before = state_of([inside])
    assert state_of([inside]) == before
    (outside / "a").write_text("new")
    assert state_of([inside]) != before


def test_unwritable_cache_names_the_remedy(tmp_path):
    written = write_voc(tmp_path / "set")
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ValueError, match=r"cannot be written .*Set ZOO_DATA_DIR"):
        load(written, tmp_path)
