"""Sources by name, SPEC strings, and what a Source tells about its splits."""

import numpy as np
import pytest
import tensorflow as tf

from tests.data.tiny_sets import voc_object, write_voc
from zoo.data import list_sources, load_source, parse_spec
from zoo.data.inspection import inspect_records
from zoo.data.source import RECORD_SPEC, Source

pytestmark = pytest.mark.any_backend


def in_memory(records) -> Source:
    spec = {name: RECORD_SPEC[name] for name in RECORD_SPEC}
    dataset = tf.data.Dataset.from_generator(lambda: iter(records), output_signature=spec)
    return Source("made up", ("cat", "dog"), ("val",), lambda split: dataset)


def record(image_id="a", boxes=((0.0, 0.25, 0.5, 1.0),), labels=(1,), crowd=(False,)):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return {
        "image": b"picture",
        "image_id": image_id.encode(),
        "boxes": boxes,
        "labels": np.array(labels, np.int32),
        "crowd": np.array(crowd, bool),
        "area": np.full(len(boxes), 0.375, np.float32),
        "height": np.int32(100),
        "width": np.int32(200),
        "masks": np.full(len(boxes), b"", object),
        "segmentation": b"",
    }


def test_bananas_are_listed():
    assert "bananas" in list_sources()


def test_unknown_source_gets_near_names():
    with pytest.raises(ValueError, match=r"got 'banana'\. Did you mean bananas"):
        load_source("banana")


def test_spec_names_source_and_split(bananas, monkeypatch):
    monkeypatch.setitem(parse_spec.__globals__["SOURCES"], "bananas", lambda **options: bananas)
    assert parse_spec("bananas@val") == (bananas, "val")
    assert parse_spec("bananas") == (bananas, None)


@pytest.mark.parametrize("spec", ["bananas@test", "bananas@"])
def test_spec_with_an_unknown_split_names_the_splits(bananas, monkeypatch, spec):
    monkeypatch.setitem(parse_spec.__globals__["SOURCES"], "bananas", lambda **options: bananas)
    with pytest.raises(ValueError, match="bananas has the splits train, val"):
        parse_spec(spec)


def test_unknown_split_is_refused(bananas):
    with pytest.raises(ValueError, match="bananas has the splits train, val; got 'test'"):
        bananas.records("test")


def test_records_have_the_record_spec(bananas):
    assert bananas.records("val").element_spec.keys() == RECORD_SPEC.keys()
    for name, spec in bananas.records("val").element_spec.items():
        assert spec.dtype == RECORD_SPEC[name].dtype
        assert RECORD_SPEC[name].shape.is_compatible_with(spec.shape)


def test_limit_takes_the_first_records(bananas):
    ids = [r["image_id"] for r in bananas.records("train").as_numpy_iterator()]
    assert [r["image_id"] for r in bananas.records("train", 3).as_numpy_iterator()] == ids[:3]
    with pytest.raises(ValueError, match="limit must be a number of records >= 1; got 0"):
        bananas.records("train", 0)


def test_digest_of_objects_is_what_it_was_before_records_had_class_maps():
    old = record()
    del old["segmentation"]
    assert inspect_records([old]).digest == in_memory([record()]).digest("val")


def test_ground_truth_is_in_pixels_of_the_picture():
    (image_id, picture, truth), *_ = in_memory([record()]).ground_truth("val")
    assert (image_id, picture) == ("a", b"picture")
    np.testing.assert_allclose(truth.boxes, [[0, 25, 100, 100]])
    np.testing.assert_allclose(truth.areas, [0.375 * 100 * 200])
    assert truth.labels.tolist() == [1]
    assert truth.scores.tolist() == [1]
    assert truth.class_names == ("cat", "dog")


def test_picture_without_boxes_is_ground_truth_too():
    empty = record(boxes=(), labels=(), crowd=())
    (_, _, truth), *_ = in_memory([empty]).ground_truth("val")
    assert len(truth) == 0


def test_digest_ignores_order_and_sees_every_field():
    first, second = record("a"), record("b")
    digest = in_memory([first, second]).digest("val")
    assert in_memory([second, first]).digest("val") == digest
    changes = {
        "image": b"other",
        "boxes": first["boxes"] + np.float32(0.001),
        "labels": np.array([0], np.int32),
        "crowd": np.array([True]),
        "area": np.array([0.3], np.float32),
        "height": np.int32(101),
        "width": np.int32(201),
        "masks": np.array([b"02"], object),
    }
    digests = {in_memory([first | {k: v}, second]).digest("val") for k, v in changes.items()}
    assert digest not in digests
    assert len(digests) == len(changes)


@pytest.mark.parametrize("name", ["plain", "with blank", "a@b", "c:d", "e@train", "f@b:c @d"])
def test_spec_takes_a_path_with_blanks_ats_and_colons(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "cache"))
    _, folder = write_voc(tmp_path / name)
    source, split = parse_spec(f"voc:{folder}@train")
    assert (source.name, split, source.size("train")) == (f"voc:{folder}", "train", 2)
    assert parse_spec(f"voc:{folder}")[1] is None


def test_path_that_ends_like_a_split_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "cache"))
    for name in ("set", "set@train"):
        write_voc(tmp_path / name)
    assert parse_spec(f"voc:{tmp_path}/set@train@train")[0].name == f"voc:{tmp_path}/set@train"
    assert parse_spec(f"voc:{tmp_path}/set@train")[1] == "train"  # of the set without the @


def test_spec_with_options_leaves_defects_out(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "cache"))
    _, folder = write_voc(tmp_path / "set", voc_object((1, 1, 1, 1)))
    source, split = parse_spec(f"voc:{folder}@train", on_defect="skip")
    assert source.skipped(split) == {"degenerate_box": 1}


def test_format_without_a_path_says_how_to_give_one():
    with pytest.raises(ValueError, match=r"voc needs a path, as in data: \{name: voc, path: DIR\}"):
        load_source("voc")
    with pytest.raises(ValueError, match="bananas has no path; got 'x'"):
        load_source("bananas", path="x")
