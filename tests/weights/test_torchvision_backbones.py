"""Backbones give what torchvision's give, with weights that are a function of their names.

The files in `fixtures/` are torchvision 0.29.1's answers on torch 2.14.1, CPU, written by
`benchmarks/torchvision_fixtures.py`.
"""

import keras
import numpy as np
import pytest
from cases import SLOW_ON_JAX, compiled
from pure_weights import pure_pictures, read_fixture, sample

from zoo.backbones import FPN, VGG, MobileNetV2, ResNet
from zoo.weights import convert_into

BACKBONES = {
    "resnet18": lambda levels: ResNet(18, levels=levels),
    "resnet34": lambda levels: ResNet(34, levels=levels),
    "resnet50": lambda levels: ResNet(50, levels=levels),
    "resnet101": lambda levels: ResNet(101, levels=levels),
    "resnet50_dilated": lambda levels: ResNet(50, levels=levels, output_stride=8),
    "resnet50_fpn": lambda levels: FPN(ResNet(50), 256),
    "vgg16": lambda levels: VGG(16, levels=levels),
    "vgg19": lambda levels: VGG(19, levels=levels),
    "mobilenet_v2": lambda levels: MobileNetV2(levels=levels),
}


# Their layers are the others' too.
LONG = (
    "resnet34",
    "resnet50",
    "resnet101",
    "vgg16",
    "vgg19",
    "resnet50_dilated",
    "resnet50_fpn",
)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[SLOW_ON_JAX] if n in LONG else []) for n in BACKBONES]
)
def test_a_backbone_gives_what_torchvisions_gives(name):
    state, levels = read_fixture(name)
    backbone = BACKBONES[name](tuple(levels))
    pictures = pure_pictures(1, 101, 135)
    backbone.build(pictures.shape)
    convert_into(backbone, state, f"torchvision:{name.removesuffix('_dilated')}")
    answers = compiled(lambda images: backbone(images, training=False))(pictures)
    assert backbone.level_names == tuple(levels)
    for level, wanted, answer in zip(levels, levels.values(), answers, strict=True):
        found = sample(keras.ops.convert_to_numpy(answer))
        # Float32 sums in another order; a hundred layers carry it to some 1e-5 of the scale.
        limit = 1e-4 * np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, atol=limit, rtol=0, err_msg=level)
