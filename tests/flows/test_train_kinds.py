"""The main job for models that are no detectors: trained, verified, registered, served."""

import json
import re
from pathlib import Path

import mlflow
import numpy as np
import pytest
from cases import vgg_file
from mlflow.tracking import MlflowClient
from PIL import Image

from flows.config import Config
from flows.embedded import prefect_server
from flows.journal import last_event, read_journal
from flows.run_folder import RunFolder
from flows.runtime import installed_backends
from flows.tracking_store import open_store
from flows.train import run

pytestmark = [pytest.mark.any_backend, pytest.mark.slow]

TRAIN = {"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 0.001}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Train a small model of each kind in one home; return the summaries by kind."""
    folder = tmp_path_factory.mktemp("kinds")
    with pytest.MonkeyPatch.context() as patch, prefect_server(folder / "prefect") as url:
        patch.setenv("PREFECT_API_URL", url)
        return {
            config.name: run(config, home=folder / "home")
            for config in (segmentation(), classification(folder), style(folder))
        }


def segmentation():
    # Whoever scores without the options sees other pictures, and the run is refused.
    options = {"seed": 1, "train_size": 4, "val_size": 4}
    data = {"name": "shapes", "options": options, "image_size": 32, "batch_size": 2}
    data["augment"] = ["flip"]
    model = {"preset": "fcn_resnet18"}
    gate = {"metric": "miou"}
    return config("segmentation", model=model, data=data, gate=gate)


def classification(folder):
    for split, pictures in (("train", 2), ("val", 1)):
        for label, name in enumerate(("dark", "light")):
            place = folder / "classes" / split / name
            place.mkdir(parents=True)
            for number in range(pictures):
                Image.new("RGB", (40, 40), (200 * label + number,) * 3).save(
                    place / f"{number}.png"
                )
    train = TRAIN | {"unfreeze_every": 1}
    train["optimizer"] = TRAIN["optimizer"] | {"head_multiplier": 10.0}
    data = {"name": "folder", "path": str(folder / "classes"), "image_size": 32, "batch_size": 2}
    data["augment"] = ["random_resized_crop", "rand_augment", "cutmix"]
    options = {"backbone": "mobilenet_v2", "frozen_norm": True}
    model = {"preset": "classifier", "num_classes": 2, "options": options}
    gate = {"metric": "top1"}
    return config("classification", model=model, data=data, train=train, gate=gate)


def style(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "style.png")
    options = {"style": str(folder / "style.png"), "filters": 4, "residual_blocks": 1}
    options |= {"content_layers": ["relu1_1"], "style_layers": ["relu1_2"], "style_size": 32}
    options["backbone_weights"] = str(vgg_file(folder / "vgg16.pth"))
    data = {"name": "shapes", "image_size": 32, "batch_size": 2, "limit": 4}
    model = {"preset": "fast_style", "options": options}
    return config("style", model=model, data=data, gate={"metric": "style_gain"})


def config(name, *, train=TRAIN, **sections):
    backend = {"backend": installed_backends()[0], "precision": "float32"}
    return Config.model_validate({"name": name, "train": train} | backend | sections)


@pytest.mark.parametrize(
    ("kind", "figure", "answer"),
    [
        ("segmentation", "miou", ["class_map", "labels", "names", "shares", "colors"]),
        ("classification", "top1", ["labels", "names", "probabilities"]),
        ("style", "style_gain", ["picture"]),
    ],
)
def test_every_kind_becomes_a_champion_that_answers_in_its_form(runs, kind, figure, answer):
    summary = runs[kind]
    assert summary.promoted, summary.reasons
    assert summary.verified_on != summary.backend or len(installed_backends()) == 1
    assert 0 <= summary.metrics[figure] <= 1
    assert set(summary.trivial) == set(summary.metrics)
    folder = RunFolder(summary.run_dir)
    assert last_event(read_journal(folder.journal), "started")["task"] == kind
    with open_store(folder.path.parents[1]):
        model = mlflow.models.get_model_info(f"models:/{kind}@champion")
    assert model.signature.outputs.input_names() == answer


def test_samples_of_every_kind_are_drawn(runs):
    for summary in runs.values():
        samples = sorted((RunFolder(summary.run_dir).path / "samples").glob("*.png"))
        assert samples
        assert Image.open(samples[0]).size[1] >= 32


def test_every_run_tells_how_near_it_came_to_its_machines_limit(runs):
    for summary in runs.values():
        folder = RunFolder(summary.run_dir).path
        client = MlflowClient(tracking_uri=summary.tracking_uri)
        told = client.get_run(summary.mlflow_run_id).data
        report = json.loads((folder / "hardware.json").read_text())
        fraction = told.metrics.get("hardware/achieved_fraction")
        assert fraction == report["roofline"]["fraction"], summary.name
        assert told.metrics["hardware/operations_per_step"] == report["step"]["operations"] > 1e6
        assert told.params["hardware.bound"] == report["roofline"]["bound"]
        assert told.params["hardware.devices"] == "1"
        artifacts = {file.path for file in client.list_artifacts(summary.mlflow_run_id)}
        assert {"hardware.json", "roofline.png"} <= artifacts
    assert any(report_of(summary)["step"]["seconds"] for summary in runs.values())


def test_every_run_has_a_report_of_its_kind_in_mlflow_too(runs):
    parts = {
        "segmentation": {"confusion", "classes", "pictures"},
        "classification": {"precision-and-recall", "confusion", "classes", "pictures"},
        "style": {"pictures"},
    }
    answers = {"precision-and-recall", "confusion", "classes", "pictures"}
    for kind, summary in runs.items():
        report = RunFolder(summary.run_dir).report.read_text(encoding="utf-8")
        shown = set(re.findall(r'<section id="([^"]+)">', report))
        assert shown & answers == parts[kind]
        assert "not be worked out" not in report
        assert report.count("<img ") >= 2
        client = MlflowClient(tracking_uri=summary.tracking_uri)
        logged = mlflow.artifacts.download_artifacts(
            run_id=summary.mlflow_run_id,
            artifact_path="report.html",
            tracking_uri=summary.tracking_uri,
        )
        assert Path(logged).read_text(encoding="utf-8") == report
        assert client.get_run(summary.mlflow_run_id).data.tags["report"] == "report.html"


def report_of(summary):
    return json.loads((RunFolder(summary.run_dir).path / "hardware.json").read_text())
