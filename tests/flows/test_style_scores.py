"""A style's published network is scored from its file, and alike on every backend."""

import numpy as np
import pytest
from cases import random_vgg16

import zoo
from flows import worker
from flows.runtime import installed_backends
from flows.verification import _differences, score

STYLE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8).repeat(4, 0).repeat(4, 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("style")
    layers = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"]}
    options = {"style": STYLE, "image_size": 64, "style_size": 32, "filters": 8} | layers
    task = zoo.create("fast_style", backbone_weights=random_vgg16(folder), **options)
    task.publish(folder / "style.keras")
    return folder / "style.keras"


@pytest.mark.slow
@pytest.mark.any_backend
def test_backends_score_a_painted_picture_alike(model, tmp_path):
    scores = {
        backend: score(
            model, data="bananas@val", limit=3, backend=backend, out=tmp_path / f"{backend}.json"
        )
        for backend in installed_backends()
    }
    reference = next(iter(scores.values()))
    assert reference["metrics"]["loss"] > 0
    assert reference["trivial"]["style_gain"] == 0
    for backend, told in scores.items():
        assert _differences(reference["metrics"], told["metrics"]) == [], backend
        assert _differences(reference["trivial"], told["trivial"]) == [], backend


@pytest.mark.slow
@pytest.mark.any_backend
def test_a_rival_is_judged_by_the_same_style(model, tmp_path):
    options = {"limit": 3, "backend": installed_backends()[0], "out": tmp_path / "scores.json"}
    scores = score(model, data="shapes@val", against=model, metric="style_gain", **options)
    assert scores["confidence"] == 0.5
    assert scores["against"]["metrics"] == scores["metrics"]


def test_a_model_without_a_style_is_told_in_one_line(tmp_path, capsys):
    file = tmp_path / "plain.keras"
    zoo.create("fast_style", filters=4, residual_blocks=1).publish(file)
    arguments = ["score", str(file), "--data", "bananas@val", "--limit", "1"]
    assert worker.main([*arguments, "--out", str(tmp_path / "scores.json")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file}: this model holds no style to learn")
