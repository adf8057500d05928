"""One data set, written in every layout that has boxes, reads back as the same records."""

from functools import partial

import numpy as np
import pytest

from tests.data.write_layouts import CLASS_NAMES, WRITTEN, encoded_picture, generate, write_layout
from zoo.data import load_source

pytestmark = pytest.mark.any_backend

POWERS_OF_TWO = ((64, 128), (32, 32), (128, 64))
ANY_SIZES = ((61, 127), (33, 90), (100, 77))


def read_back(kind, dataset, tmp_path):
    """The source, and split -> image_id -> record."""
    path = write_layout(kind, tmp_path / kind, dataset)
    source = load_source(kind, path=path, data_dir=str(tmp_path / "cache"))
    records = {
        split: {
            record["image_id"].decode(): record
            for record in source.records(split).as_numpy_iterator()
        }
        for split in source.splits
    }
    return source, records


@pytest.fixture
def exact(tmp_path):
    dataset = generate(0, sizes=POWERS_OF_TWO)
    return dataset, {kind: read_back(kind, dataset, tmp_path) for kind in WRITTEN}


def test_records_are_what_was_written(exact):
    dataset, found = exact
    for kind, (source, records) in found.items():
        assert source.class_names == CLASS_NAMES, kind
        assert source.splits == ("train", "val"), kind
        for split, pictures in dataset.items():
            assert sorted(records[split]) == sorted(stem for stem, _, _ in pictures), kind
            for stem, size, objects in pictures:
                record = records[split][stem]
                sides = np.array([size[1], size[0]] * 2, np.float32)
                boxes = np.array([box for _, box in objects], np.float32).reshape(-1, 4)
                # whole pixels over powers of two: float32 and 10 decimals hold both exactly
                assert np.array_equal(record["boxes"], boxes / sides), kind
                labels = [CLASS_NAMES.index(name) for name, _ in objects]
                assert record["labels"].tolist() == labels, kind
                assert record["image"] == encoded_picture(stem, size), kind
                assert (record["height"], record["width"]) == size, kind


def test_every_field_of_every_record_agrees_bit_for_bit(exact):
    _, found = exact
    _, expected = found["voc"]
    for kind, (_, records) in found.items():
        for split in ("train", "val"):
            for image_id, record in expected[split].items():
                for name, value in record.items():
                    other = records[split][image_id][name]
                    assert np.asarray(value).tobytes() == np.asarray(other).tobytes(), (kind, name)


def test_digests_agree(exact):
    _, found = exact
    for split in ("train", "val"):
        assert len({source.digest(split) for source, _ in found.values()}) == 1


def test_a_box_elsewhere_changes_the_digest(tmp_path):
    dataset = generate(0, sizes=POWERS_OF_TWO)
    stem, size, ((name, (left, top, right, bottom)), *others) = dataset["val"][0]
    moved = (left, top, right, bottom + 1 if bottom < size[0] else bottom - 1)
    changed = {
        "train": dataset["train"],
        "val": [(stem, size, ((name, moved), *others)), *dataset["val"][1:]],
    }
    first, _ = read_back("csv", dataset, tmp_path / "first")
    second, _ = read_back("csv", changed, tmp_path / "second")
    assert first.digest("train") == second.digest("train")
    assert first.digest("val") != second.digest("val")


def test_layouts_agree_for_any_size(tmp_path):
    dataset = generate(1, sizes=ANY_SIZES)
    read = partial(read_back, dataset=dataset, tmp_path=tmp_path)
    _, expected = read("voc")
    for kind in WRITTEN[1:]:
        _, records = read(kind)
        for split, pictures in expected.items():
            for image_id, record in pictures.items():
                # a YOLO row has 10 decimals, of which float32 keeps 7: off by one rounding at most
                np.testing.assert_allclose(
                    records[split][image_id]["boxes"], record["boxes"], rtol=0, atol=1.2e-7
                )
                assert records[split][image_id]["labels"].tolist() == record["labels"].tolist()
