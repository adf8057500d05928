"""VGG of keras.applications, its download stood in for by the same network with random weights."""

import keras
import numpy as np
import pytest

import zoo
from zoo.weights import keras_vgg


@pytest.fixture
def keras_models(monkeypatch):
    """Let keras.applications' networks be made without a download; return those made."""
    made = []

    def stand_in(create):
        def build(*, include_top, weights):
            assert (include_top, weights) == (False, "imagenet")
            keras.utils.set_random_seed(0)
            made.append(create(include_top=False, weights=None))
            for layer in made[-1].layers:
                if layer.weights:
                    layer.bias.assign(keras.random.normal(layer.bias.shape, stddev=0.1))
            return made[-1]

        return build

    stand_ins = {name: stand_in(create) for name, create in keras_vgg._MODELS.items()}
    monkeypatch.setattr(keras_vgg, "_MODELS", stand_ins)
    return made


@pytest.mark.parametrize("depth", [16, 19])
def test_features_are_those_of_keras_applications(keras_models, depth):
    layers = ["relu1_1", "relu3_2"]
    task = zoo.create(
        "style_transfer",
        backbone=f"vgg{depth}",
        backbone_weights="keras_applications",
        content_layers=layers,
        style_layers=["relu1_1"],
    )
    picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    ours = task.predict_on_batch(picture)["content"]
    (model,) = keras_models
    names = ("block1_conv1", "block3_conv2")
    theirs = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    prepared = keras.applications.vgg16.preprocess_input(picture.copy())
    for mine, wanted, margin in zip(ours, theirs.predict_on_batch(prepared), (1, 4), strict=True):
        # Away from the border, where their zeros and ours are other colours.
        inside = (slice(None), slice(margin, -margin), slice(margin, -margin))
        wanted = np.asarray(wanted)
        np.testing.assert_allclose(mine[inside], wanted[inside], atol=1e-5 * wanted.max())
        np.testing.assert_allclose(mine, wanted, atol=0.01 * wanted.max())


def test_a_download_that_fails_is_told(monkeypatch):
    def refuse(**options):
        raise Exception("URL fetch failure on https://storage.googleapis.com: None")

    monkeypatch.setitem(keras_vgg._MODELS, "vgg19", refuse)
    with pytest.raises(ValueError, match=r"weights of vgg19 cannot be downloaded: URL fetch"):
        zoo.create("style_transfer", backbone="vgg19", backbone_weights="keras_applications")
