"""Backbones of Keras Applications, KerasHub and KerasCV behind zoo's interface."""

import keras
import numpy as np
import pytest
from cases import SLOW_ON_JAX, compiled

from zoo.backbones import FPN, ForeignBackbone, create_backbone
from zoo.backbones.foreign_names import application_input

PICTURES = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype("float32")


def small_model():
    """A functional model of three levels, of strides 2, 4 and 8."""
    pictures = keras.Input((None, None, 3))
    levels, features = [], pictures
    for number, filters in enumerate((4, 6, 8)):
        conv = keras.layers.Conv2D(filters, 3, 2, padding="same", name=f"conv_{number}")
        features = keras.layers.BatchNormalization(name=f"norm_{number}")(conv(features))
        levels.append(features)
    return keras.Model(pictures, levels)


def answers(backbone, pictures=PICTURES):
    levels = compiled(lambda images: backbone(images, training=False))(pictures)
    return [keras.ops.convert_to_numpy(level) for level in levels]


def held(backbone):
    weights = [w for w in backbone.weights if "moving" not in w.path]
    return {w.path.split("/")[-2] for w in weights if not w.trainable}


def test_levels_are_named_after_their_strides_and_may_be_chosen():
    backbone = ForeignBackbone(small_model())
    assert (backbone.level_names, backbone.strides) == (("c2", "c3"), (4, 8))
    finest = ForeignBackbone(small_model(), levels=("c1",))
    assert [level.shape for level in answers(finest)] == [(1, 32, 48, 4)]
    assert finest.compute_output_shape(PICTURES.shape) == [(1, 32, 48, 4)]


@pytest.mark.parametrize("levels", [("c4",), ("c3", "c2"), ()])
def test_levels_that_are_not_there_are_refused(levels):
    with pytest.raises(ValueError, match=r"some of \['c1', 'c2', 'c3'\]"):
        ForeignBackbone(small_model(), levels=levels)


def test_freezing_holds_what_leads_to_a_level_whatever_is_set_trainable():
    backbone = ForeignBackbone(small_model(), freeze=1)
    backbone.trainable = False
    backbone.trainable = True
    assert held(backbone) == {"conv_0", "norm_0", "conv_1", "norm_1"}
    with pytest.raises(ValueError, match="got 3"):
        ForeignBackbone(small_model(), freeze=3)


def test_frozen_norms_keep_their_statistics_in_training():
    backbone = ForeignBackbone(small_model(), frozen_norm=True)
    backbone.trainable = True
    assert held(backbone) == {"norm_0", "norm_1", "norm_2"}
    before = backbone.get_weights()
    backbone(PICTURES, training=True)
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_blue_first_models_get_their_colours_turned_around():
    model = small_model()
    plain, turned = (answers(ForeignBackbone(model, bgr=bgr))[0] for bgr in (False, True))
    expected = answers(ForeignBackbone(model), np.ascontiguousarray(PICTURES[..., ::-1]))[0]
    np.testing.assert_array_equal(turned, expected)
    assert np.abs(turned - plain).max() > 0


def test_a_pyramid_over_it_keeps_its_meaning_in_a_file(tmp_path):
    pictures = keras.Input((64, 96, 3))
    pyramid = FPN(ForeignBackbone(small_model(), freeze=1, frozen_norm=True), channels=8)
    model = keras.Model(pictures, pyramid(pictures))
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert len(opened.trainable_weights) == len(model.trainable_weights)
    for level, wanted in zip(opened.predict(PICTURES), model.predict(PICTURES), strict=True):
        np.testing.assert_allclose(level, wanted, atol=1e-6)


@SLOW_ON_JAX
@pytest.mark.parametrize(
    ("name", "channels"),
    [
        # Of the expansions that begin the halving blocks, and the last convolution.
        ("keras_applications:MobileNetV3Small", (72, 96, 288, 576)),
        ("keras_hub:resnet_18_imagenet", (64, 128, 256, 512)),
    ],
)
def test_models_of_other_libraries_are_backbones(name, channels):
    backbone = create_backbone(name, dtype="mixed_bfloat16")
    assert backbone.strides == (4, 8, 16, 32)
    shapes = backbone.compute_output_shape(PICTURES.shape)
    assert tuple(shape[-1] for shape in shapes) == channels
    found = compiled(lambda images: backbone(images, training=False))(PICTURES)
    assert [tuple(level.shape) for level in found] == shapes
    assert {keras.backend.standardize_dtype(level.dtype) for level in found} == {"bfloat16"}
    assert {weight.dtype for weight in backbone.trainable_weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    twin = ForeignBackbone.from_config(backbone.get_config())
    assert [w.shape for w in twin.weights] == [w.shape for w in backbone.weights]


@pytest.mark.parametrize(
    ("name", "pixel", "value"),
    [
        ("MobileNetV3Small", (10, 20, 30), (10, 20, 30)),
        ("MobileNetV2", (255, 127.5, 0), (1, 0, -1)),
        ("DenseNet121", (255, 0, 0), ((1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225)),
        ("ResNet50", (200, 100, 50), (200 - 123.68, 100 - 116.779, 50 - 103.939)),
        ("ResNet50V2", (255, 127.5, 0), (1, 0, -1)),
    ],
)
def test_normalization_is_what_preprocess_input_does(name, pixel, value):
    kind = application_input(name)
    found = (np.array(pixel) / 255 - kind["mean"]) / kind["std"]
    np.testing.assert_allclose(found, value, atol=1e-4)


def test_keras_cv_is_asked_for_or_works():
    try:
        import keras_cv  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match=r"keras-vision-zoo\[keras-cv\]"):
            create_backbone("keras_cv:ResNet18Backbone")
        return
    backbone = create_backbone("keras_cv:ResNet18Backbone")
    assert backbone.strides == (4, 8, 16, 32)
    assert [level.shape[-1] for level in answers(backbone)] == [64, 128, 256, 512]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("keras_applications:ResNet5", "Did you mean 'ResNet50'"),
        ("keras_hub:resnet_vd_18_imagenet", 'weights="pretrained" downloads'),
        ("timm:resnet50", "keras_applications, keras_hub, keras_cv"),
    ],
)
def test_an_unknown_name_is_told(name, message):
    with pytest.raises(ValueError, match=message):
        create_backbone(name)


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match='None or "pretrained"'):
        create_backbone("keras_applications:ResNet50", weights="imagenet")
