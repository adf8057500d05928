"""Stages by depth: their keys, their rates, and unfreezing from the top."""

import keras
import numpy as np
import pytest
from cases import SLOW_ON_JAX, colours, small_classifier

import zoo
from zoo.training import UnfreezeStages, build_optimizer, depth_multipliers, stage_keys


def optimizer_of(task, **options):
    rates = depth_multipliers(task, **options)
    return build_optimizer("sgd", learning_rate=0.01, total_steps=10, multipliers=rates)


def test_stages_are_those_that_freeze_counts():
    stages = stage_keys(small_classifier())
    assert [keys[0] for keys in stages] == ["backbone/stem", "backbone/layer2_0"]
    # The pooling behind the stem has no weights.
    assert stages[0] == ("backbone/stem", "backbone/layer1_0", "backbone/layer1_1")
    assert stage_keys(small_classifier(freeze=1)) == stages[1:]


@SLOW_ON_JAX
def test_what_lies_behind_the_last_stage_is_one_more():
    task = zoo.create("classifier", num_classes=2, image_size=32)
    stages = stage_keys(task)
    assert len(stages) == 5
    assert stages[-1] == ("efficientnet_lite0/top",)


def test_rates_fall_with_the_depth():
    rates = depth_multipliers(small_classifier(), 0.5, head=10)
    assert rates["head"] == 10
    assert rates["backbone/layer2_1"] == 0.5
    assert rates["backbone/stem"] == 0.25


def test_every_weight_of_a_classifier_has_its_key():
    task = small_classifier()
    optimizer = optimizer_of(task)
    optimizer.build(task.trainable_variables)
    assert None not in optimizer._key_of


@SLOW_ON_JAX
@pytest.mark.parametrize("preset", ["fcn_resnet18", "tiny_ssd", "faster_rcnn"])
def test_every_layer_but_the_backbone_is_the_head(preset):
    task = zoo.create(preset, num_classes=2, image_size=64)
    optimizer = optimizer_of(task, head=10)
    optimizer.build(task.trainable_variables)
    backbone = {id(weight) for weight in task.backbone.trainable_variables}
    pairs = zip(task.trainable_variables, optimizer._key_of, strict=True)
    rates = {id(weight): optimizer.multipliers[key] for weight, key in pairs}
    assert {rates[id(weight)] for weight in task.backbone.trainable_variables} == {1.0}
    assert {rate for weight, rate in rates.items() if weight not in backbone} == {10.0}


def test_stages_join_from_the_top():
    task = small_classifier(frozen_norm=True)
    images, labels = colours(3)
    task.compile(optimizer=optimizer_of(task))
    callbacks = [UnfreezeStages(every_epochs=1)]
    moved = []
    for epoch in range(3):
        before = task.get_weights()
        task.fit(
            images,
            {"labels": labels},
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=callbacks,
            verbose=0,
        )
        pairs = zip(task.weights, before, task.get_weights(), strict=True)
        moved.append({w.path for w, old, new in pairs if np.abs(new - old).max() > 0})
    assert all(path.startswith("head/") or "/head/" in path for path in moved[0])
    assert any("layer2_0/" in path for path in moved[1])
    assert not any("stem/" in path or "layer1_" in path for path in moved[1])
    assert moved[2] == {weight.path for weight in task.trainable_weights}


def test_it_asks_for_what_it_needs():
    images, labels = colours(3)
    task = small_classifier()
    task.compile(optimizer=optimizer_of(task))
    with pytest.raises(ValueError, match="with frozen_norm=True"):
        task.fit(images, {"labels": labels}, callbacks=[UnfreezeStages()], verbose=0)
    task = small_classifier(frozen_norm=True)
    task.compile(optimizer=keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="no multiplier for backbone/stem"):
        task.fit(images, {"labels": labels}, callbacks=[UnfreezeStages()], verbose=0)
    with pytest.raises(ValueError, match="every_epochs must be at least 1"):
        UnfreezeStages(0)
