"""A published model is scored on a split; what cannot be scored is one line and exit code 2."""

import argparse
import io
import json
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from flows import scoring, worker
from flows.runtime import UserError
from zoo import Detections
from zoo.data import Source
from zoo.data.layout import CocoIds

BOXES = [[[8, 8, 40, 40]], [[0, 16, 32, 64]], [[8, 0, 24, 16], [32, 32, 64, 60]]]
LABELS = [[0], [1], [1, 0]]
NAMES = ("apple", "pear")


def png(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def fruit(pictures=None):
    """Return a source of three pictures of 64x64 with the boxes above."""
    pictures = pictures or [png(seed) for seed in range(3)]
    records = [
        {
            "image": pictures[index],
            "image_id": f"picture{index}",
            "boxes": np.array(BOXES[index], np.float32) / 64,
            "labels": np.array(LABELS[index], np.int32),
            "crowd": np.zeros(len(LABELS[index]), bool),
            "area": np.full(len(LABELS[index]), 0.1, np.float32),
            "height": np.int32(64),
            "width": np.int32(64),
        }
        for index in range(3)
    ]
    specs = {
        key: tf.TensorSpec(None, tf.as_dtype(np.asarray(records[0][key]).dtype))
        for key in records[0]
    }
    specs |= {"image": tf.TensorSpec((), tf.string), "image_id": tf.TensorSpec((), tf.string)}
    return Source(
        "fruit",
        NAMES,
        ("train", "val"),
        lambda split: tf.data.Dataset.from_generator(lambda: iter(records), output_signature=specs),
    )  # fmt: skip


class Oracle:
    """Answer the boxes above, in the classes of `class_names`; nothing with `blind`."""

    kind = "detection"
    result_kinds = ("boxes",)

    def __init__(self, class_names=NAMES, *, blind=False):
        self.class_names = class_names
        self.blind = blind

    def detect(self, images):
        if self.blind:
            return [Detections.empty(self.class_names)] * len(images)
        return [
            Detections.ground_truth(
                boxes, [self.class_names.index(NAMES[label]) for label in labels], self.class_names
            )
            for boxes, labels in zip(BOXES, LABELS, strict=True)
        ][: len(images)]


@pytest.fixture
def score(tmp_path, monkeypatch, capsys):
    """Score stand-ins for models, by name, on the fruit; return scores.json."""

    def run(model="m", source=None, **options):
        models = {"m": Oracle(), "blind": Oracle(blind=True), "turned": Oracle(NAMES[::-1])}
        models["other"] = Oracle(("apple", "plum", "pear"))
        monkeypatch.setattr(zoo, "load", models.__getitem__)
        monkeypatch.setattr(
            "zoo.data.parse_spec", lambda spec, **options: (source or fruit(), None)
        )
        plain = {"data": "fruit", "limit": None, "against": None, "metric": "ap50"}
        plain |= {"predictions": None, "on_defect": "stop", "out": tmp_path / "scores.json"}
        plain |= {"options": {}, "fold": None, "report": None}
        assert scoring.run(argparse.Namespace(model=model, **plain | options)) == 0
        return json.loads((tmp_path / "scores.json").read_text())

    return run


@pytest.mark.any_backend
def test_perfect_model_scores_one_and_answering_nothing_zero(score):
    scores = score()
    assert scores["metrics"]["ap"] == pytest.approx(1)
    assert scores["metrics"]["ap_per_class"] == pytest.approx({"apple": 1, "pear": 1})
    assert scores["trivial"]["ap"] == 0
    assert scores["confidence"] is None
    assert (scores["data"], scores["pictures"]) == ("fruit@val", 3)


@pytest.mark.any_backend
def test_limit_takes_the_first_pictures(score):
    assert score(limit=2)["pictures"] == 2


@pytest.mark.any_backend
def test_a_fold_of_the_training_records_is_scored_in_place_of_val(score):
    folds = [score(fold={"index": index, "of": 2, "seed": 0})["pictures"] for index in range(2)]
    assert sorted(folds) == [1, 2]


@pytest.mark.any_backend
@pytest.mark.parametrize(("model", "against", "confidence"), [("m", "blind", 1), ("blind", "m", 0)])
def test_confidence_says_which_of_two_is_better(score, model, against, confidence):
    assert score(model, against=against)["confidence"] == confidence


@pytest.mark.any_backend
def test_scores_hold_the_metrics_of_both(score):
    scores = score("m", against="blind")
    assert (scores["metrics"]["ap"], scores["against"]["metrics"]["ap"]) == (pytest.approx(1), 0)
    assert scores["against"]["model"] == "blind"
    assert score("m")["against"] is None


@pytest.mark.any_backend
def test_few_pictures_are_in_memory_at_once(score, monkeypatch):
    monkeypatch.setattr(scoring, "_CHUNK", 1)
    seen = []
    monkeypatch.setattr(Oracle, "detect", lambda self, images: seen.append(len(images)) or [
        Detections.empty(self.class_names)
    ])  # fmt: skip
    assert score()["pictures"] == 3
    assert seen == [1, 1, 1]


@pytest.mark.any_backend
def test_classes_are_compared_by_name(score):
    assert score("turned")["metrics"]["ap"] == pytest.approx(1)


@pytest.mark.any_backend
def test_model_of_other_classes_is_refused(score):
    with pytest.raises(
        UserError, match="knows the classes apple, plum, pear; the data have apple, pear"
    ):
        score("other")


@pytest.mark.any_backend
def test_predictions_are_coco_results_with_the_datas_ids(score, tmp_path):
    score(predictions=tmp_path / "p.json")
    rows = json.loads((tmp_path / "p.json").read_text())
    assert rows[1] == {
        "image_id": "picture1", "category_id": 1, "bbox": [0, 16, 32, 48], "score": 1,
    }  # fmt: skip


@pytest.mark.any_backend
def test_predictions_carry_the_ids_of_the_datas_coco_file(score, tmp_path):
    ids = CocoIds({f"picture{i}": 70 + i for i in range(3)}, {"apple": 52, "pear": 90})
    score(source=replace(fruit(), coco_ids=lambda split: ids), predictions=tmp_path / "p.json")
    rows = json.loads((tmp_path / "p.json").read_text())
    assert (rows[1]["image_id"], rows[1]["category_id"]) == (71, 90)


@pytest.mark.any_backend
def test_damaged_picture_of_the_data_is_told(score):
    with pytest.raises(UserError, match="--data fruit: picture1: "):
        score(source=fruit([png(0), png(1)[:50], png(2)]))


def test_published_model_is_scored_on_this_backend(tmp_path, monkeypatch, capsys):
    model, out = tmp_path / "m.keras", tmp_path / "scores.json"
    zoo.create("tiny_ssd", class_names=NAMES, image_size=64).publish(model)
    monkeypatch.setattr("zoo.data.parse_spec", lambda spec, **options: (fruit(), "train"))
    code = worker.main(["score", str(model), "--data", "fruit@train", "--out", str(out)])
    assert code == 0
    scores = json.loads(out.read_text())
    assert scores["backend"] == keras.backend.backend()
    assert 0 <= scores["metrics"]["ap50"] < 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == [
        {"what": "scoring", "done": 0, "total": 3},
        {"what": "scoring", "done": 3, "total": 3},
        {"wrote": str(out)},
    ]


def write_plain(path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)


def write_lambda(path):
    """Write a model whose lambda, once called, leaves a file beside it."""
    trap = str(path.with_suffix(".sprung"))
    function = keras.layers.Lambda(lambda x: (open(trap, "w").close(), x)[1])
    keras.Sequential([keras.Input((4,)), function]).save(path)
    path.with_suffix(".sprung").unlink(missing_ok=True)


def write_unknown_class(path):
    write_plain(path)
    edit(path, "config.json", lambda text: text.replace('"Dense"', '"Tense"'))


def write_without_config(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"")


def write_damaged_weights(path):
    """Turn every byte of the weights' middle: the archive's checksum does not hold."""
    zoo.create("tiny_ssd", class_names=NAMES, image_size=64).publish(path)
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 5000)
    content[middle] = bytes(255 - byte for byte in content[middle])
    path.write_bytes(content)


def write_cut(path):
    write_plain(path)
    path.write_bytes(path.read_bytes()[:-100])


def write_text(path):
    path.write_text("no model")


def edit(path, member, change):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members[member].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (write_plain, "holds a Sequential, not a zoo task"),
        (write_lambda, "Lambda"),
        (write_unknown_class, "Tense"),
        (write_without_config, "cannot be opened"),
        (write_damaged_weights, "cannot be opened"),
        (write_cut, "not a .keras file"),
        (write_text, "not a .keras file"),
    ],
)
def test_broken_model_file_is_one_line_and_exit_code_2(write, reason, tmp_path, capsys):
    model = tmp_path / "m.keras"
    write(model)
    code = worker.main(["score", str(model), "--data", "x", "--out", str(tmp_path / "s.json")])
    told, err = capsys.readouterr()
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith(f"{model}: ")
    assert reason in line
    assert json.loads(told) == {"mistake": line}
    assert not model.with_suffix(".sprung").exists()


@pytest.mark.any_backend
def test_unknown_data_is_one_line_and_exit_code_2(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(zoo, "load", lambda path: Oracle())
    code = worker.main(["score", "m", "--data", "banana", "--out", str(tmp_path / "s.json")])
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert line.startswith("--data banana: ")
    assert "bananas" in line
