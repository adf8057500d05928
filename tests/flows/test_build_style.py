"""From a config to the objects of a run that learns a style."""

import numpy as np
import pytest
from cases import SLOW_ON_JAX, vgg_file
from PIL import Image

from flows import build
from flows.config import Config
from flows.runtime import UserError

CONFIG = {
    "name": "style",
    "backend": "tensorflow",
    "precision": "float32",
    "data": {
        "name": "shapes",
        "image_size": 64,
        "batch_size": 2,
        "limit": 4,
        "augment": [{"name": "random_resized_crop", "ratio": [1.0, 1.0]}, "flip"],
    },
    "train": {"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 0.1}},
}


@pytest.fixture
def style(tmp_path):
    """The config of a small network that learns a style from pictures of shapes."""
    path = tmp_path / "style.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    options = {"style": str(path), "filters": 4, "residual_blocks": 1, "style_size": 32}
    options |= {"content_layers": ["relu1_1"], "style_layers": ["relu1_2"]}
    options["backbone_weights"] = str(vgg_file(tmp_path / "vgg16.pth"))
    return CONFIG | {"model": {"preset": "fast_style", "options": options}}


@SLOW_ON_JAX
def test_a_style_is_learnt_from_pictures_alone(style):
    config = Config.model_validate(style)
    source = build.build_source(config)
    task = build.build_task(config, source)
    assert build.build_validation(config, source, task) is None
    stream = build.build_stream(config, source, task)
    batches = list(stream(0).as_numpy_iterator())
    assert [batch.shape for batch in batches] == [(2, 64, 64, 3)] * 2
    np.testing.assert_array_equal(next(stream(1).as_numpy_iterator()), batches[1])
    task.compile(build.build_run_optimizer(config, source, task))
    history = task.fit(stream(0), steps_per_epoch=2, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_a_style_that_is_not_there_is_told(style):
    del style["model"]["options"]["style"]
    config = Config.model_validate(style)
    with pytest.raises(UserError, match=r"model\.options\.style is missing"):
        build.build_task(config, build.build_source(config))


def test_a_judge_without_weights_is_told(style):
    del style["model"]["options"]["backbone_weights"]
    config = Config.model_validate(style)
    with pytest.raises(UserError, match=r"model\.options\.backbone_weights is missing"):
        build.build_task(config, build.build_source(config))


def test_a_preset_that_learns_nothing_is_told(style):
    config = Config.model_validate(style | {"model": {"preset": "style_transfer"}})
    with pytest.raises(UserError, match="style_transfer learns nothing: `zoo stylize`"):
        build.build_task(config, build.build_source(config))
