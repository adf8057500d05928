"""From a config to the objects of a run: what a config says arrives where it counts."""

import numpy as np
import pytest
from PIL import Image
from shared_data import carried_weights

from flows import build, build_checks, training_run
from flows.config import load_config
from flows.journal import Journal
from flows.runtime import UserError
from zoo.training import UnfreezeStages
from zoo.weights import classifier_rows, imagenet_classes

pytestmark = pytest.mark.any_backend

PLAIN = """
name: plain
backend: torch
precision: float32
model: {preset: %s, options: %s}
data: {name: %s, path: %s, image_size: 32, batch_size: 2}
train: {epochs: 1, optimizer: {name: sgd, learning_rate: 0.01}}
"""
COLORS = {"ground": [1, 2, 3], "cat": [200, 0, 0]}


@pytest.fixture
def config(tmp_path):
    def load(preset, data, path, *overrides, options="{}"):
        file = tmp_path / "x.yaml"
        file.write_text(PLAIN % (preset, options, data, path))
        return load_config(file, overrides)

    return load


@pytest.fixture
def breeds(tmp_path):
    """Folders of two classes, of which ImageNet knows one."""
    for split in ("train", "val"):
        for name in ("Samoyed", "Zonkey"):
            folder = tmp_path / "breeds" / split / name
            folder.mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (40, 40), (number, 0, 0)).save(folder / f"{number}.png")
    return tmp_path / "breeds"


@pytest.fixture
def painted(tmp_path):
    """Pairs of a picture and a mask in `COLORS`, with an ending of its own."""
    for split in ("train", "val"):
        for folder in ("images", "masks"):
            (tmp_path / "painted" / split / folder).mkdir(parents=True)
        Image.new("RGB", (40, 40)).save(tmp_path / "painted" / split / "images" / "a.png")
        mask = Image.new("RGB", (40, 40), tuple(COLORS["cat"]))
        mask.save(tmp_path / "painted" / split / "masks" / "a_L.png")
    return tmp_path / "painted"


def test_rates_by_layer_reach_the_optimizer(config, breeds):
    overrides = ["train.optimizer.head_multiplier=7", "train.optimizer.depth_decay=0.5"]
    chosen = config("classifier", "folder", breeds, *overrides)
    source = build.build_source(chosen)
    task = build.build_task(chosen, source)
    optimizer = build.build_run_optimizer(chosen, source, task)
    assert optimizer.multipliers["head"] == 7
    assert optimizer.multipliers["efficientnet_lite0/top"] == 0.5
    assert optimizer.multipliers["efficientnet_lite0/stem"] == 0.5**5


def test_an_optimizer_without_rates_is_kerass_own(config, breeds):
    chosen = config("classifier", "folder", breeds)
    source = build.build_source(chosen)
    optimizer = build.build_run_optimizer(chosen, source, build.build_task(chosen, source))
    assert type(optimizer).__module__.startswith("keras.")


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_every_rule_trains_without_a_weight_decay(config, breeds, name):
    chosen = config("classifier", "folder", breeds, f"train.optimizer.name={name}")
    source = build.build_source(chosen)
    optimizer = build.build_run_optimizer(chosen, source, build.build_task(chosen, source))
    assert not optimizer.weight_decay


def test_a_config_may_validate_on_a_fold_of_the_training_records(config, breeds):
    folds = [
        build.build_source(
            config("classifier", "folder", breeds, f"data.fold={{index: {index}, of: 4}}")
        )
        for index in range(4)
    ]
    sizes = [(fold.size("train"), fold.size("val")) for fold in folds]
    assert sizes == [(3, 1)] * 4
    validated = {image_id for fold in folds for image_id, _, _ in fold.ground_truth("val")}
    assert len(validated) == 4


def test_unfreezing_is_a_callback_that_finds_its_rates(config, breeds):
    chosen = config(
        "classifier", "folder", breeds, "train.unfreeze_every=2", options="{frozen_norm: true}"
    )
    (callback,) = build.build_unfreezing(chosen)
    assert isinstance(callback, UnfreezeStages)
    assert callback.every_epochs == 2
    source = build.build_source(chosen)
    task = build.build_task(chosen, source)
    task.compile(optimizer=build.build_run_optimizer(chosen, source, task))
    callback.set_model(task)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    assert len(task.optimizer._held) > 0


def test_rows_of_imagenets_classifier_are_taken_by_name(config, breeds):
    carried_weights("efficientnet_lite0")
    chosen = config("classifier", "folder", breeds, "model.reuse_rows={}")
    task = build.build_task(chosen, build.build_source(chosen))
    report = build.take_rows(chosen, task)
    assert "1 of 2 classes" in report
    assert "Samoyed <- Samoyed" in report
    kernel, bias = classifier_rows("efficientnet_lite0", "imagenet")
    row = next(i for i, name in enumerate(imagenet_classes()) if name.startswith("Samoyed"))
    mine, offset = task.head.output_layer.get_weights()
    np.testing.assert_array_equal(mine[:, 0], kernel[:, row])
    assert offset[0] == bias[row]


def test_only_a_classifier_takes_rows(config):
    chosen = config("tiny_ssd", "bananas", "null", "model.reuse_rows={}", "data.image_size=64")
    task = build.build_task(chosen, build.build_source(chosen))
    with pytest.raises(UserError, match="reuse_rows is for classifiers; tiny_ssd is none"):
        build.take_rows(chosen, task)


def test_colours_of_the_config_reach_data_and_model(config, painted):
    options = f"data.options={{mask_ending: _L, palette: {COLORS}}}"
    chosen = config("fcn_resnet18", "mask_folders", painted, options)
    source = build.build_source(chosen)
    assert source.class_names == ("ground", "cat")
    task = build.build_task(chosen, source)
    assert task.palette == tuple(tuple(color) for color in COLORS.values())
    (_, targets), *_ = build.build_validation(chosen, source, task)
    assert set(np.unique(targets["segmentation"])) == {1}


@pytest.mark.parametrize("said", ["model.num_classes=3", "model.class_names=[a, b, c]"])
def test_another_number_of_classes_is_refused(config, breeds, said):
    with pytest.raises(UserError, match=r"must be 2, .*\(Samoyed, Zonkey\); got 3"):
        build.build_source(config("classifier", "folder", breeds, said))


def test_a_training_may_begin_with_the_champion(config, breeds, tmp_path):
    chosen = config("classifier", "folder", breeds, "model.weights=champion")
    source = build.build_source(chosen)
    champion, task = build.build_task(chosen, source), build.build_task(chosen, source)
    assert build.begin_with_champion(chosen, task, tmp_path) is None  # there is none as yet
    champion.publish(tmp_path / "champion.keras")
    assert "weights are taken over" in build.begin_with_champion(chosen, task, tmp_path)
    for ours, theirs in zip(task.get_weights(), champion.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_does_not_go_on_with_other_data(config, breeds, tmp_path):
    source = build.build_source(config("classifier", "folder", breeds))
    digests = {split: source.digest(split) for split in ("train", "val")}
    with Journal(tmp_path / "journal.jsonl") as journal:
        training_run.check_same_data(source, journal.path)  # nothing has begun
        journal.append("started", data_digest=digests)
    training_run.check_same_data(source, journal.path)
    (breeds / "train" / "Samoyed" / "0.png").unlink()
    fewer = build.build_source(config("classifier", "folder", breeds))
    with pytest.raises(UserError, match=r"@train has changed since this run began"):
        training_run.check_same_data(fewer, journal.path)


@pytest.mark.parametrize(
    "said",
    ["gate={metric: ap50}", "train.early_stopping={metric: ap50, patience: 1}"],
)
def test_a_metric_that_the_model_does_not_have_is_refused_before_training(
    config, breeds, tmp_path, said
):
    chosen = config("classifier", "folder", breeds, said)
    with (
        Journal(tmp_path / "journal.jsonl") as journal,
        pytest.raises(UserError, match=r"metric must be one of top1, top5, .*; got ap50$"),
    ):
        training_run.train(chosen, tmp_path, journal)
    assert not (tmp_path / "checkpoint").exists()


def test_a_gate_of_masks_needs_a_model_that_draws_them(config):
    chosen = config("tiny_ssd", "bananas", "null", "gate={metric: mask_ap}", "data.image_size=64")
    task = build.build_task(chosen, build.build_source(chosen))
    with pytest.raises(UserError, match=r"gate\.metric must be one of ap, .*; got mask_ap$"):
        build_checks.check_metrics(chosen, task)
