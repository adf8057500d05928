"""A style as a network: training without labels, any size, and files that hold the lesson."""

import keras
import numpy as np
import pytest
from cases import QUICK_ON_TORCH, SLOW_ON_JAX, check_task, compiled, open_elsewhere, random_vgg16

import zoo
from zoo.models.style_network import StyleNetwork

RANDOM = np.random.default_rng(0)
STYLE = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
PICTURES = RANDOM.integers(0, 256, (4, 4, 6, 3), np.uint8).repeat(8, 1).repeat(8, 2)


def small(**overrides):
    options = {"style": STYLE, "image_size": (32, 48), "style_size": 32, "filters": 4}
    options |= {"residual_blocks": 1, "content_layers": ["relu2_1"]}
    return zoo.create(
        "fast_style", **options | {"style_layers": ["relu1_1", "relu2_1"]} | overrides
    )


@pytest.fixture
def weights(tmp_path):
    return random_vgg16(tmp_path)


@SLOW_ON_JAX
def test_it_keeps_the_contract_of_a_task():
    check_task(small(), PICTURES, None, learning_rate=1e-3)


@QUICK_ON_TORCH
def test_it_learns_a_style(tmp_path):
    keras.utils.set_random_seed(0)
    task = small()
    task.compile(keras.optimizers.Adam(0.01))
    history = task.fit(PICTURES, batch_size=2, epochs=6, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    parts = (history[name] for name in ("content_loss", "style_loss", "variation_loss"))
    np.testing.assert_allclose(np.sum(list(parts), axis=0), history["loss"], rtol=1e-4)
    _check_file(task, tmp_path)


def _check_file(task, folder):
    """Check that the published file holds no loss network, and paints the same elsewhere."""
    pictures = [PICTURES[0], PICTURES[1][:29, :31]]
    expected = task.stylize(pictures)
    assert [one.shape for one in expected] == [one.shape for one in pictures]
    task.publish(folder / "style.keras")
    opened = zoo.load(folder / "style.keras")
    assert opened.count_params() == task.network.count_params()
    for backend, painted in open_elsewhere(folder / "style.keras", pictures).items():
        for one, wanted in zip(painted, expected, strict=True):
            # A value near .5 may round to either side.
            assert np.abs(np.int32(one) - wanted).max() <= 1, backend
    np.testing.assert_array_equal(opened.lesson.style, task.lesson.style)
    assert opened.lesson.get_config() == task.lesson.get_config()


@SLOW_ON_JAX
def test_an_opened_file_learns_further(tmp_path, weights):
    """With the loss network's weights, which are not in the file: the loss goes on where it was."""
    task = small(backbone_weights=weights)
    task.publish(tmp_path / "style.keras")
    opened = zoo.load(tmp_path / "style.keras")
    losses = []
    for one in (task, opened):
        one.compile("sgd")
        losses.append(one.train_on_batch(PICTURES, None, return_dict=True)["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_a_file_without_its_loss_network_paints_only(tmp_path, weights):
    small(backbone_weights=weights).publish(tmp_path / "style.keras")
    weights.unlink()
    opened = zoo.load(tmp_path / "style.keras")
    assert opened.stylize(PICTURES[0])[0].shape == PICTURES[0].shape
    message = "the loss network, which judges .* cannot be had: .*vgg16.safetensors: no such file"
    with pytest.raises(ValueError, match=message):
        opened.compile("sgd")


def test_a_network_without_a_style_cannot_train():
    with pytest.raises(ValueError, match="holds no style to learn"):
        small(style=None).compile("sgd")


def test_leaving_a_picture_as_it_is_loses_no_content():
    judge = small().open_judge()
    painted, untouched = judge.compare(PICTURES[0], PICTURES[1])
    assert untouched["content_loss"] == 0
    assert painted["content_loss"] > 0
    again, _ = judge.compare(PICTURES[0], PICTURES[0])
    assert again == pytest.approx(untouched)


def test_the_papers_network_has_its_number_of_weights():
    # Kernels of 9x9 3-32, 3x3 32-64 64-128, ten of 128-128, 128-64 64-32, 9x9 32-3 with 3 biases;
    # scale and shift of 32 + 64 + 128 + 10 * 128 + 64 + 32 channels.
    network = StyleNetwork()
    network.build((None, None, None, 3))
    kernels = 81 * 3 * 32 * 2 + 9 * (2 * 32 * 64 + 2 * 64 * 128 + 10 * 128 * 128)
    assert network.count_params() == kernels + 3 + 2 * (32 + 64 + 128 + 1280 + 64 + 32)


def test_instance_norm_makes_brightness_and_contrast_of_a_picture_nothing():
    network = StyleNetwork(4, 1)
    images = RANDOM.normal(size=(2, 17, 22, 3)).astype("float32")
    network.build(images.shape)
    paint = compiled(network)
    painted, brighter = (keras.ops.convert_to_numpy(paint(one)) for one in (images, 2 * images + 1))
    assert painted.shape == images.shape
    np.testing.assert_allclose(brighter, painted, atol=0.1)  # of 255
    assert np.abs(painted[0] - painted[1]).max() > 1


def test_a_picture_that_is_too_small_is_told():
    with pytest.raises(ValueError, match="needs 5x5 pixels or more; got 1x1"):
        small(style=None).stylize(PICTURES[0, :1, :1])
