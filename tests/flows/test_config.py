"""A config is read whole, its mistakes are told whole, and its hash stands for its result."""

import json
from pathlib import Path

import pytest
import yaml

from flows.config import Config, config_hash, dump_config, load_config, resolve_config
from flows.config_errors import ConfigError

pytestmark = pytest.mark.any_backend

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
PLAIN = """
name: plain
backend: torch
precision: float32
model: {preset: tiny_ssd, num_classes: 1}
data: {name: bananas, image_size: 64, max_boxes: 4, batch_size: 8}
train: {epochs: 2, optimizer: {name: sgd, learning_rate: 0.1}}
"""


@pytest.fixture
def write(tmp_path):
    def write_config(text=PLAIN):
        path = tmp_path / "x.yaml"
        path.write_text(text)
        return path

    return write_config


def mistakes(path, *overrides, backend=None):
    with pytest.raises(ConfigError) as caught:
        load_config(path, list(overrides), backend)
    return [line.replace(str(path), "x.yaml") for line in caught.value.errors]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_config_reads_and_is_called_like_its_file(path):
    assert load_config(path).name == path.stem


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_config_opens_with_the_command_that_runs_it(path):
    assert path.read_text().startswith(f"# zoo train configs/{path.name}")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_dumped_config_reads_back_equal(path, write):
    config = load_config(path)
    assert load_config(write(dump_config(config))) == config


def test_book_recipe_is_the_books():
    """Dive into Deep Learning 13.7.2: SGD, lr 0.2, wd 5e-4, 20 epochs, batch 32, 256x256."""
    config = load_config(Path(__file__).parents[2] / "configs/tiny_ssd_book.yaml")
    rule = config.train.optimizer
    assert (rule.name, rule.learning_rate, rule.weight_decay, rule.momentum) == (
        "sgd",
        0.2,
        5e-4,
        0,
    )
    assert (config.train.epochs, config.data.batch_size, config.data.image_size) == (20, 32, 256)
    assert config.train.schedule.name == "constant"
    assert config.train.schedule.warmup_steps == 0
    assert config.train.loss.name == "book"


def test_unknown_key_is_told_with_its_near_name(write):
    path = write(PLAIN.replace("epochs", "epohcs"))
    assert "x.yaml: train.epohcs: unknown key; did you mean epochs?" in mistakes(path)


def test_key_in_the_wrong_section_is_told_with_its_path(write):
    assert mistakes(write(PLAIN + "learning_rate: 1\n")) == [
        "x.yaml: learning_rate: unknown key; did you mean train.optimizer.learning_rate?"
    ]


def test_all_mistakes_are_told_at_once(write):
    text = """
name: a b
backnd: jax
precision: bf16
model: {preset: tiny_ssd, num_classes: two}
data: {name: bananas, image_size: 256.5, max_boxes: 8, batch_size: -3, augment: [flop]}
train:
  optimizer: {name: adamm, learning_rate: 5e-4, weight_decay: .nan}
  schedule: 3
  loss: {name: multibox, negative_rato: 2}
gate: {metric: ap_50}
"""
    assert sorted(mistakes(write(text))) == sorted(
        [
            "x.yaml: name: must be letters, digits, `_`, `.` and `-`; got 'a b' (text)",
            "x.yaml: backnd: unknown key; did you mean backend?",
            "x.yaml: precision: must be one of auto, float32, mixed_bfloat16; got 'bf16' (text)",
            "x.yaml: model.num_classes: must be a whole number; got 'two' (text)",
            "x.yaml: data.image_size: must be a side of 32 to 4096 pixels, or [height, width] of "
            "such; got 256.5",
            "x.yaml: data.batch_size: must be at least 1; got -3",
            "x.yaml: data.augment.0: name must be one of light, ssd, strong, book, rand, "
            "flip, vertical_flip, random_resized_crop, iou_crop, expand, photometric, mosaic, "
            "mixup, cutmix, rand_augment; got 'flop' (text); did you mean flip?",
            "x.yaml: train.epochs: must be given; it is missing",
            "x.yaml: train.optimizer.name: must be one of sgd, adam, adamw; got 'adamm' (text); "
            "did you mean adam?",
            "x.yaml: train.optimizer.weight_decay: must be a finite number; got nan",
            "x.yaml: train.schedule: must be a mapping of `key: value`; got 3",
            "x.yaml: train.loss.negative_rato: unknown key; did you mean negative_ratio?",
            "x.yaml: gate.metric: must be one of ap, ap50, ap75, ap_small, ap_medium, ap_large, "
            "ar_1, ar_10, ar_100, ar_small, ar_medium, ar_large, mask_ap, mask_ap50, mask_ap75, "
            "mask_ap_small, mask_ap_medium, mask_ap_large, mask_ar_1, mask_ar_10, mask_ar_100, "
            "mask_ar_small, mask_ar_medium, mask_ar_large, miou, pixel_accuracy, mean_accuracy, "
            "frequency_weighted_iou, top1, top5, style_gain; got 'ap_50' (text); "
            "did you mean ap50?",
        ]
    )


def test_the_number_of_classes_may_be_left_to_the_data(write):
    config = load_config(write(PLAIN.replace("num_classes: 1", "class_names: [a, b]")))
    assert config.model.num_classes is None


def test_image_size_is_a_side_or_height_and_width(write):
    assert load_config(write()).data.image_size == 64
    config = load_config(write(), ["data.image_size=[320, 480]"])
    assert config.data.image_size == (320, 480)
    again = write(dump_config(config))
    assert load_config(again) == config


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (
            "image_size: 64",
            "image_size: [64]",
            "data.image_size: must be a side of 32 to 4096 pixels, or [height, width] of such; "
            "got [64]",
        ),
        ("epochs: 2", "epochs: true", "train.epochs: must be a whole number; got true"),
        ("epochs: 2", "epochs: '2'", "train.epochs: must be a whole number; got '2' (text)"),
        ("name: plain", "name: 7", "name: must be text; got 7"),
        ("rate: 0.1", "rate: 0", "train.optimizer.learning_rate: must be greater than 0; got 0"),
        (
            "rate: 0.1",
            "rate: .inf",
            "train.optimizer.learning_rate: must be a finite number; got inf",
        ),
        (
            "num_classes: 1",
            "num_classes: 1, class_names: [a, b]",
            "model: class_names must name num_classes = 1 classes; got 2",
        ),
        (
            "num_classes: 1",
            "num_classes: 1, weights: old.keras, reuse_rows: {}",
            "model: reuse_rows is for a fresh head; weights bring their own: give one",
        ),
        (
            "size: 8",
            "size: 8, limit: 4",
            "data: limit must be at least batch_size = 8, or no batch is full; got 4",
        ),
        (
            "{name: sgd,",
            "{name: adam, momentum: 0.9,",
            "train.optimizer: momentum belongs to sgd; adam has its own",
        ),
        (
            "epochs: 2",
            "epochs: 2, loss: {name: multibocks}",
            "train.loss: name must be one of book, multibox; got 'multibocks' (text); "
            "did you mean multibox?",
        ),
    ],
)  # fmt: skip
def test_mistake_is_told_in_the_words_of_the_file(write, old, new, mistake):
    assert old in PLAIN
    assert mistakes(write(PLAIN.replace(old, new))) == [f"x.yaml: {mistake}"]


def test_exponent_without_a_point_is_a_number(write):
    """YAML 1.1 reads 5e-4 as text, which no one means."""
    path = write(PLAIN.replace("0.1", "5e-4"))
    assert load_config(path).train.optimizer.learning_rate == 0.0005


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("name: [", "x.yaml: not valid YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\n b: 2", "x.yaml:2:3: not valid YAML: mapping values are not allowed here"),
        ("a: 1\n\tb: 2", "x.yaml:2:1: not valid YAML: found character '\\t' that cannot start"),
        ("a: 1\na: 2", "x.yaml:2:1: not valid YAML: the key a stands here twice"),
        ("1: 2\nb: 3", "x.yaml:1:1: not valid YAML: keys must be text; got 1"),
        ("", "x.yaml: must hold `key: value` lines; found nothing"),
        ("[1, 2]", "x.yaml: must hold `key: value` lines; found a list"),
        ("a: !!python/object/apply:os.getcwd []\nb: 1", "x.yaml:1:4: not valid YAML: could not"),
        ("a: 2026-99-99", "x.yaml: not valid YAML: month must be in 1..12"),
        ("[" * 3000, "x.yaml: not valid YAML: nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_not_yaml_is_told_in_one_line(write, text, mistake):
    (line,) = mistakes(write(text))
    assert line.startswith(mistake)
    assert "\n" not in line


def test_binary_file_is_told(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    assert mistakes(path) == ["x.yaml: not a text file in UTF-8"]


def test_missing_file_is_told_with_its_near_name(write):
    path = write()
    missing = path.with_name("y.yaml")
    with pytest.raises(ConfigError, match=r"y\.yaml: no such config; did you mean .*x\.yaml\?"):
        load_config(missing)


def test_overrides_win_over_the_file(write):
    config = load_config(
        write(),
        ["train.epochs=7", "data.augment=[flip]", "gate.metric=ap", "data.limit=null"],
        "jax",
    )
    assert config.train.epochs == 7
    assert config.data.augment == ("flip",)
    assert config.gate.metric == "ap"
    assert config.data.limit is None
    assert config.backend == "jax"


def test_mistake_in_an_override_names_the_option(write):
    overrides = ["train.epohcs=3", "train.seed=x", "foo", "data.limit=[", "a..b=1"]
    assert sorted(mistakes(write(), *overrides, backend="pytorch")) == sorted(
        [
            "--set train.epohcs: unknown key; did you mean epochs?",
            "--set train.seed: must be a whole number; got 'x' (text)",
            "--set foo: must be key=value, as in train.epochs=3",
            "--set data.limit=[: not valid YAML: expected the node content, "
            "but found '<stream end>'",
            "--set a..b=1: must be key=value, as in train.epochs=3",
            "--backend: must be one of auto, tensorflow, jax, torch; got 'pytorch' (text); "
            "did you mean torch?",
        ]
    )


def test_sections_disagreeing_through_an_override_name_file_and_option(write):
    (line,) = mistakes(write(), "data.limit=4")
    assert line.startswith("x.yaml with --set data.limit: data: limit must be at least")


def test_a_file_of_another_kind_is_not_told_line_by_line(write):
    path = write("\n".join(f"k{number}: 1" for number in range(100)))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).splitlines()[-1] == "and 84 more mistakes"  # 100 unknown + 4 missing


def test_config_cannot_be_changed(write):
    config = load_config(write())
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"


@pytest.mark.parametrize(
    "override",
    [
        "train.seed=1",
        "train.epochs=3",
        "train.optimizer.learning_rate=0.2",
        "train.loss={name: book}",
        "train.evaluate_every=2",
        "model.options={score_threshold: 0.5}",
        "data.limit=16",
        "data.augment=[flip]",
        "precision=mixed_bfloat16",
        "backend=jax",
    ],
)
def test_hash_depends_on_what_changes_the_result(write, override):
    path = write()
    assert config_hash(load_config(path, [override])) != config_hash(load_config(path))


@pytest.mark.parametrize(
    "override",
    [
        "name=other",
        "gate={metric: ap50, at_least: 0.5}",
        "train.log_steps=1",
        "train.checkpoint_steps=1",
        "data.cache=true",
        "data.limit=null",
        "train.seed=0",
    ],
)
def test_hash_does_not_depend_on_the_rest(write, override):
    path = write()
    assert config_hash(load_config(path, [override])) == config_hash(load_config(path))


def test_hash_does_not_depend_on_the_order_of_keys(write):
    values = yaml.safe_load(PLAIN)
    turned = yaml.safe_dump(dict(reversed(values.items())), sort_keys=False)
    plain = config_hash(load_config(write()))
    assert config_hash(load_config(write(turned))) == plain


def test_hash_of_auto_is_that_of_what_it_resolves_to(write, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    path = write(PLAIN.replace("backend: torch", "backend: auto"))
    assert config_hash(load_config(path)) == config_hash(load_config(write(PLAIN)))


def test_resolved_config_has_no_auto(write):
    text = PLAIN.replace("backend: torch", "backend: auto").replace("float32", "auto")
    config = resolve_config(load_config(write(text)))
    assert config.backend != "auto"
    assert config.precision != "auto"


def test_hash_is_twelve_hex_digits(write):
    assert len(bytes.fromhex(config_hash(load_config(write())))) == 6


def test_schema_forbids_unknown_keys():
    schema = Config.model_json_schema()
    assert json.loads(json.dumps(schema))["additionalProperties"] is False


def test_aliases_of_aliases_are_not_written_out(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    file = tmp_path / "x.yaml"
    file.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="its aliases grow to more than 100000 values"):
        load_config(file)


def test_an_alias_within_itself_is_a_mistake(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("a: &a [*a]\n")
    with pytest.raises(ConfigError, match="an alias stands within what it is an alias of"):
        load_config(file)


def test_a_plain_alias_may_be_used(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("name: &n one\nmodel: {preset: *n}\n")
    with pytest.raises(ConfigError) as caught:  # as much as this config lacks
        load_config(file)
    assert "an alias stands" not in str(caught.value)
    assert "aliases grow" not in str(caught.value)
