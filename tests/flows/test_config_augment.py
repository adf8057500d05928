"""What a config says about augmentation is what the library takes: names, defaults and bounds."""

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from flows.config import Config, config_hash, dump_config, load_config
from flows.config_augment import NAMES, AnyStep, Policy, pictures_taken, read_augment
from flows.config_errors import ConfigError
from zoo.data.augment import (
    CLASS_POLICIES,
    POLICIES,
    STEPS,
    build_class_steps,
    build_steps,
    class_vocabulary,
)

pytestmark = pytest.mark.any_backend

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "augmentation.md"
CLASS_STEPS = class_vocabulary((64, 64)).steps
MODELS = {
    get_args(model.model_fields["name"].annotation)[0]: model
    for model in get_args(AnyStep)
    if model is not Policy
}
PLAIN = """
name: plain
backend: torch
precision: float32
model: {preset: tiny_ssd, num_classes: 1}
data: {name: bananas, image_size: 64, max_boxes: 4, batch_size: 8, augment: %s}
train: {epochs: 2, optimizer: {name: sgd, learning_rate: 0.1}}
"""


@pytest.fixture
def load(tmp_path):
    def load_text(augment, *overrides):
        path = tmp_path / "x.yaml"
        path.write_text(PLAIN % augment)
        return load_config(path, overrides)

    return load_text


@pytest.fixture
def mistakes(load, tmp_path):
    def find(augment, *overrides):
        with pytest.raises(ConfigError) as caught:
            load(augment, *overrides)
        return [line.replace(f"{tmp_path}/", "") for line in caught.value.errors]

    return find


def plain(config):
    return config.model_dump()["data"]["augment"]


def test_configs_know_the_names_of_the_library():
    assert set(NAMES) == {*STEPS, *POLICIES, *CLASS_STEPS, *CLASS_POLICIES}


@pytest.mark.parametrize("name", STEPS)
def test_options_and_defaults_are_those_of_the_library(name):
    options = {key: one.default for key, one in inspect.signature(STEPS[name]).parameters.items()}
    fields = {key: one.default for key, one in MODELS[name].model_fields.items() if key != "name"}
    assert fields == options


@pytest.mark.parametrize("name", sorted(set(CLASS_STEPS) - set(STEPS)))
def test_options_and_defaults_of_classification_are_those_of_the_library(name):
    signature = inspect.signature(CLASS_STEPS[name])
    options = {key: one.default for key, one in signature.parameters.items()}
    fields = {key: one.default for key, one in MODELS[name].model_fields.items() if key != "name"}
    assert fields == options


@pytest.mark.parametrize("name", CLASS_STEPS)
def test_classification_takes_what_configs_give(load, name):
    """Only options that were given go on: its defaults are not those of detection."""
    signature = inspect.signature(CLASS_STEPS[name])
    key, one = next(iter(signature.parameters.items()))
    value = list(one.default) if isinstance(one.default, tuple) else one.default
    (taken,) = plain(load([{"name": name, key: value}]))
    assert set(taken) == {"name", key}
    (step,) = build_class_steps([taken], (64, 64))
    assert step.name == name


@pytest.mark.parametrize("name", STEPS)
def test_the_library_takes_what_configs_give(load, name):
    config = load(f"[{{name: {name}}}]")
    full = MODELS[name](name=name).model_dump(mode="json")
    assert [step.name for step in build_steps([*plain(config), full])] == [name, name]


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_must_hold_what_is_mixed(name):
    detection = build_steps([name]) if name in {*STEPS, *POLICIES} else ()
    classes = build_class_steps([name], (64, 64)) if name in {*CLASS_STEPS, *CLASS_POLICIES} else ()
    assert pictures_taken([name])[0] == max(step.pictures for step in (*detection, *classes))


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("ssd", ("ssd",)),
        ("[ssd]", ("ssd",)),
        ("[flip]", ("flip",)),
        ("[]", ()),
        ("[{name: flip}, mixup]", ("flip", "mixup")),
        ("{name: flip, probability: 1}", ({"name": "flip", "probability": 1.0},)),
    ],
)
def test_augment_is_a_name_a_mapping_or_a_list_of_them(load, written, taken):
    assert plain(load(written)) == taken


def test_dumped_augment_reads_back_equal(load, tmp_path):
    config = load("[flip, {name: random_resized_crop, scale: [0.5, 1]}, ssd]")
    path = tmp_path / "dumped.yaml"
    path.write_text(dump_config(config))
    assert load_config(path) == config


def test_hash_depends_on_options(load):
    hashes = [
        config_hash(load(text))
        for text in ("[]", "flip", "[{name: flip, probability: 0.2}]", "ssd", "strong")
    ]
    assert len(set(hashes)) == 5
    assert config_hash(load("[ssd]")) == config_hash(load("ssd"))


def test_all_mistakes_are_told_at_once(mistakes):
    written = (
        "[flop, 3, {name: expand, ratoi: [1, 2]}, {name: ssd, probability: 1}, "
        "{name: iou_crop, ratio: [2, 1], trials: 0}, {name: mosaic, scale: 0.5}]"
    )
    names = ", ".join(NAMES)
    assert mistakes(written) == [
        f"x.yaml: data.augment.0: name must be one of {names}; got 'flop' (text); "
        "did you mean flip?",
        "x.yaml: data.augment.1: must be the name of a step, or a mapping with its options; got 3",
        "x.yaml: data.augment.2.ratoi: unknown key; did you mean ratio?",
        "x.yaml: data.augment.3.probability: unknown key; known here: name",
        "x.yaml: data.augment.4.ratio: must be [lowest, highest] within 0.01..100; got [2.0, 1.0]",
        "x.yaml: data.augment.4.trials: must be at least 1; got 0",
        "x.yaml: data.augment.5.scale: must be a list; got 0.5",
    ]


def test_too_small_a_batch_is_told(mistakes):
    (line,) = mistakes("strong", "data.batch_size=3")
    assert "batch_size must be at least 4, the pictures of a batch that strong mixes" in line


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("flip", "probability", 1.5),
        ("random_resized_crop", "scale", [0.5, 1.5]),
        ("random_resized_crop", "scale", [0.0, 1.0]),
        ("random_resized_crop", "ratio", [2.0, 1.0]),
        ("random_resized_crop", "min_visible", -0.1),
        ("iou_crop", "min_overlaps", [0.5, 2.0]),
        ("iou_crop", "min_scale", 0.0),
        ("iou_crop", "trials", 0),
        ("expand", "ratio", [0.5, 2.0]),
        ("expand", "fill", [0, 0, 256]),
        ("photometric", "brightness", 300.0),
        ("photometric", "contrast", [-1.0, 1.0]),
        ("photometric", "hue", 181.0),
        ("mosaic", "center", [0.0, 1.0]),
        ("mosaic", "scale", [0.01, 1.0]),
        ("mixup", "alpha", 0.0),
    ],
)
def test_config_and_library_refuse_the_same(load, name, option, value):
    entry = {"name": name, option: value}
    with pytest.raises(ValueError, match=option):
        build_steps([entry])
    with pytest.raises(ConfigError, match=option):
        load(f"[{entry}]")


def test_the_page_names_every_step_policy_and_option():
    pages = (PAGE, DOCS / "fine_tuning.md")
    page = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    tables = [line for line in page.splitlines() if line.startswith("| `")]
    assert {line.split("`")[1] for line in tables} == set(NAMES)
    for name, model in MODELS.items():
        told = " ".join(line for line in tables if line.split("`")[1] == name)
        assert set(model.model_fields) - {"name"} <= set(re.findall(r"`(\w+)`", told))


def test_what_the_page_shows_is_read(load):
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = [yaml.safe_load(block)["data"]["augment"] for block in blocks]
    assert len(shown) == 2
    for augment in shown:
        assert build_steps(plain(load(augment)))


def test_schema_for_editors_knows_names_and_mappings():
    schema = Config.model_json_schema()["$defs"]["Data"]["properties"]["augment"]["anyOf"]
    assert set(schema[0]["enum"]) == set(NAMES)
    assert {"$ref": "#/$defs/Mosaic"} in schema


def test_option_of_a_command_line_is_read():
    assert read_augment("ssd", option="--augment") == ("ssd",)
    read = read_augment("[flip, {name: mixup, alpha: 2}]", option="--augment")
    assert read == ("flip", {"name": "mixup", "alpha": 2.0})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sdd", r"--augment: 0: name must be one of .*; got 'sdd' \(text\); did you mean ssd\?"),
        ("[flip", "--augment.*: not valid YAML"),
        ("", "--augment: must be a list; got nothing"),
    ],
)
def test_mistake_in_the_option_is_told(text, line):
    with pytest.raises(ConfigError, match=line):
        read_augment(text, option="--augment")
