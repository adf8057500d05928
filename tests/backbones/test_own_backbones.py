"""What zoo's own backbones share: levels, strides, configuration, freezing."""

import keras
import numpy as np
import pytest
from cases import SLOW_ON_JAX, check_layer, compiled

from zoo.backbones import FPN, MobileNetV2, ResNet, create_backbone, list_backbones

PICTURES = np.random.default_rng(0).normal(size=(1, 70, 101, 3)).astype("float32")


def built(backbone, shape=(None, 64, 64, 3)):
    backbone.build(shape)
    return backbone


def test_a_backbone_keeps_the_contract_of_a_layer():
    # c2 of ResNet-18: 5 convolutions and batch norms; 70x101 halves twice, rounding up.
    shapes = [(1, 35, 51, 64), (1, 18, 26, 64)]
    layer = ResNet(18, levels=("c1", "c2"))
    check_layer(layer, PICTURES, shapes=shapes, trainable=15, non_trainable=10)


def test_inverted_residuals_keep_the_contract_of_a_layer():
    shapes = [(1, 18, 26, 24)]
    # The stem, block 0 of two and blocks 1 and 2 of three convolutions.
    check_layer(
        MobileNetV2(levels=("c2",)), PICTURES, shapes=shapes, trainable=27, non_trainable=18
    )


def test_a_pyramid_keeps_the_contract_of_a_layer():
    layer = FPN(ResNet(18, levels=("c2", "c3")), channels=8)
    shapes = [(1, 18, 26, 8), (1, 9, 13, 8), (1, 5, 7, 8)]
    # 10 convolutions and batch norms, and of the pyramid two kernels and biases a level.
    check_layer(layer, PICTURES, shapes=shapes, trainable=38, non_trainable=20)


LONG = ("resnet34", "resnet50", "resnet101", "vgg19")  # built of the same blocks as the others


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[SLOW_ON_JAX] if n in LONG else [])
        for n in list_backbones()
        if n != "tiny_cnn"
    ],
)
def test_shapes_are_known_beforehand_at_odd_sizes(name):
    backbone = built(create_backbone(name), PICTURES.shape)
    levels = compiled(lambda images: backbone(images, training=False))(PICTURES)
    shapes = [tuple(level.shape) for level in levels]
    assert shapes == backbone.compute_output_shape(PICTURES.shape)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "efficientnet_lite0"])
def test_a_level_is_named_after_its_stride(name):
    backbone = create_backbone(name)
    assert backbone.level_names == ("c2", "c3", "c4", "c5")
    assert backbone.strides == (4, 8, 16, 32)


def test_a_pyramid_names_its_levels_after_their_strides():
    pyramid = create_backbone("resnet18", fpn=16)
    assert pyramid.level_names == ("p2", "p3", "p4", "p5", "p6")
    assert pyramid.strides == (4, 8, 16, 32, 64)
    assert create_backbone("resnet18", fpn={"extra": None}).strides == (4, 8, 16, 32)


def test_vgg_gives_levels_before_and_behind_its_pooling():
    backbone = create_backbone("vgg16", levels=("c4", "p4", "c5"))
    assert backbone.strides == (8, 16, 16)


def test_vggs_pooling_rounds_up_where_it_is_told_to():
    layer = create_backbone("vgg16", levels=("p2", "p3"))
    ceil = type(layer).from_config(layer.get_config() | {"ceil_pools": [3]})
    sides = [
        [shape[1] for shape in b.compute_output_shape((1, 300, 300, 3))] for b in (layer, ceil)
    ]
    assert sides == [[75, 37], [75, 38]]


def test_dilation_keeps_the_last_stages_large():
    backbone = ResNet(50, levels=("c3", "c5"), output_stride=8)
    assert backbone.strides == (8, 8)
    last = [block.blocks[1].conv.dilation_rate for block in backbone.blocks[-3:]]
    assert last == [(2, 2), (4, 4), (4, 4)]


def test_only_what_the_levels_need_is_built():
    shallow, deep = (built(ResNet(18, levels=(level,))) for level in ("c2", "c3"))
    assert len(shallow.weights) < len(deep.weights)


@pytest.mark.parametrize("levels", [("c5", "c2"), ("c7",), ()])
def test_unknown_or_unordered_levels_are_refused(levels):
    with pytest.raises(ValueError, match=r"must be some of .*'c2'.* in this order"):
        ResNet(18, levels=levels)


def test_freezing_more_stages_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"0\.\.4"):
        ResNet(18, freeze=5)


def frozen_names(layer):
    """The blocks of a backbone whose kernels and affines do not train."""
    held = [w.path for w in layer.weights if not w.trainable and "moving" not in w.path]
    return {path.removeprefix(f"{layer.path}/").split("/")[0] for path in held}


def test_freezing_holds_the_stem_and_the_first_stages():
    assert frozen_names(built(ResNet(18, freeze=1))) == {"stem", "layer1_0", "layer1_1"}
    assert frozen_names(built(ResNet(18))) == set()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_freezing_survives_being_set_trainable(moment):
    backbone = ResNet(18, freeze=1)
    if moment == "after":
        backbone.build((None, 64, 64, 3))
    outer = keras.Sequential([keras.Input((64, 64, 3)), backbone])
    outer.trainable = False
    assert outer.trainable_weights == []
    outer.trainable = True
    assert frozen_names(backbone) == {"stem", "layer1_0", "layer1_1"}


def test_frozen_norms_survive_being_set_trainable():
    backbone = built(ResNet(18, frozen_norm=True))
    backbone.trainable = True
    assert len(backbone.trainable_weights) == 20  # the convolutions
    assert not any("norm" in weight.path for weight in backbone.trainable_weights)


def test_frozen_norms_use_their_statistics_in_training():
    backbone = built(ResNet(18, levels=("c2",), frozen_norm=True), PICTURES.shape)
    before = backbone.get_weights()
    (training,) = backbone(PICTURES, training=True)
    (answering,) = backbone(PICTURES, training=False)
    to_numpy = keras.ops.convert_to_numpy
    np.testing.assert_array_equal(to_numpy(training), to_numpy(answering))
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_freezing_survives_a_file(tmp_path):
    pictures = keras.Input((64, 64, 3))
    pyramid = create_backbone("resnet18", levels=("c2", "c3"), freeze=1, frozen_norm=True, fpn=8)
    keras.Model(pictures, pyramid(pictures)).save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    held = {w.path for w in opened.weights if not w.trainable}
    assert len(opened.trainable_weights) == len(opened.weights) - len(held)
    # 10 batch norms of four weights, and the convolutions of the stem and the first stage.
    assert len(held) == 10 * 4 + 5
    images = PICTURES[:, :64, :64]
    saved = keras.Model(pictures, pyramid(pictures))
    for old, new in zip(saved.get_weights(), opened.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [tuple(level.shape) for level in opened(images)] == [
        (1, 16, 16, 8),
        (1, 8, 8, 8),
        (1, 4, 4, 8),
    ]


def test_a_frozen_stage_does_not_move_and_the_others_do():
    pictures = keras.Input((64, 64, 3))
    backbone = ResNet(18, levels=("c3",), freeze=1)
    model = keras.Model(pictures, backbone(pictures)[0])
    before = [np.array(weight) for weight in backbone.get_weights()]
    model.compile("sgd", "mse", jit_compile=False)
    model.train_on_batch(PICTURES[:, :64, :64], np.ones((1, 8, 8, 128), "float32"))
    for weight, old in zip(backbone.weights, before, strict=True):
        held = weight.path.split("/")[1] in ("stem", "layer1_0", "layer1_1")
        moved = np.abs(keras.ops.convert_to_numpy(weight) - old).max() > 0
        assert moved != held, weight.path


def test_an_unknown_backbone_names_near_ones():
    with pytest.raises(ValueError, match=r"Did you mean 'resnet\d+'"):
        create_backbone("resnet_50")
