"""A published file is the whole model; a bad file is one line."""

import json
import zipfile

import keras
import numpy as np
import pytest
from cases import QUICK_ON_TORCH, check_loads_elsewhere, fit_one_epoch, small_ssd, squares

import zoo


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A task after a training step, and its file."""
    images, labels = squares(4)
    task = small_ssd(class_names=["square", "disc"], resize="letterbox", score_threshold=0.05)
    task.compile(optimizer=keras.optimizers.AdamW(1e-3))
    task.train_on_batch(images, labels)
    path = tmp_path_factory.mktemp("published") / "model.keras"
    task.publish(path)
    return task, path


def test_the_file_gives_the_same_detections(published):
    task, path = published
    pictures = list(squares(3, seed=5)[0])
    for found, expected in zip(zoo.load(path).detect(pictures), task.detect(pictures), strict=True):
        assert len(expected)
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-4)


def test_the_file_keeps_names_converter_and_thresholds(published):
    task, path = published
    loaded = zoo.load(path)
    assert loaded.class_names == ("square", "disc")
    assert loaded.image_converter.get_config() == task.image_converter.get_config()
    assert loaded.decoder.score_threshold == 0.05
    # A file holds lists where the objects had tuples.
    assert json.dumps(loaded.get_config()) == json.dumps(task.get_config())


def test_the_file_knows_no_optimizer_and_no_backend(published):
    _, path = published
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json").decode()
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
    assert "optimizer" not in text
    for backend in ("torch", "tensorflow", "jax"):
        assert f"backend.{backend}" not in text


def test_the_task_trains_on_after_publishing(published, tmp_path):
    task, _ = published
    images, labels = squares(4)
    task.publish(tmp_path / "again.keras")
    before = task.get_weights()[0].copy()
    task.train_on_batch(images, labels)
    assert np.abs(task.get_weights()[0] - before).max() > 0


@QUICK_ON_TORCH
def test_every_backend_opens_it_with_the_same_detections(tmp_path):
    # Trained in the precision of the demo; the file itself computes in float32.
    images, labels = squares(4)
    keras.utils.set_random_seed(3)
    task = small_ssd(dtype="mixed_bfloat16", score_threshold=0.1, max_detections=5)
    task.compile(optimizer=keras.optimizers.SGD(0.05))
    fit_one_epoch(task, images, labels, steps=2)
    path = tmp_path / "first.keras"
    task.publish(path)
    # float32 convolutions of three libraries: 2.4e-7 was measured on logits; scores of 0..1.
    check_loads_elsewhere(zoo.load(path), list(images), tmp_path, atol=1e-5)


def test_a_file_from_bfloat16_training_computes_in_float32(tmp_path):
    task = small_ssd(dtype="mixed_bfloat16")
    task.publish(tmp_path / "model.keras")
    loaded = zoo.load(tmp_path / "model.keras")
    policies = {layer.dtype_policy.name for layer in loaded._flatten_layers()}
    assert policies == {"float32"}
    for mine, theirs in zip(task.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_publishing_replaces_the_file_whole_or_not_at_all(published, tmp_path, monkeypatch):
    task, _ = published
    path = tmp_path / "model.keras"
    task.publish(path)
    content = path.read_bytes()

    def dies_half_way(self, target):
        target.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(keras.Model, "save", dies_half_way)
    with pytest.raises(OSError, match="no space"):
        task.publish(path)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]


def test_another_suffix_is_refused(published):
    with pytest.raises(ValueError, match=r"to a \.keras file; got model\.h5"):
        published[0].publish("model.h5")


def bad_text(folder, published):
    path = folder / "notes.keras"
    path.write_text("not a model")
    return path


def bad_truncation(folder, published):
    path = folder / "short.keras"
    path.write_bytes(published.read_bytes()[:5000])
    return path


def bad_weights(folder, published):
    path = folder / "holes.keras"
    with zipfile.ZipFile(published) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[: len(content) // 2] if name.endswith("h5") else content)
    return path


def bad_archive(folder, published):
    path = folder / "photos.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "holiday pictures")
    return path


def bad_lambda(folder, published):
    path = folder / "lambda.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)]).save(path)
    return path


def bad_other_model(folder, published):
    path = folder / "other.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    return path


def bad_folder(folder, published):
    path = folder / "folder.keras"
    path.mkdir()
    return path


def bad_missing(folder, published):
    return folder / "nowhere.keras"


BAD = {
    "text": (bad_text, "not a .keras file"),
    "truncation": (bad_truncation, "cut short"),
    "weights": (bad_weights, "cannot be opened"),
    "archive": (bad_archive, "cannot be opened"),
    "lambda": (bad_lambda, "Lambda"),
    "other_model": (bad_other_model, "not a zoo task"),
    "folder": (bad_folder, "no such file"),
    "missing": (bad_missing, "no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line(name, tmp_path, published):
    make, expected = BAD[name]
    path = make(tmp_path, published[1])
    with pytest.raises(ValueError, match=path.name) as caught:
        zoo.load(path)
    message = str(caught.value)
    assert expected in message
    assert "\n" not in message
    assert len(message) < 300
