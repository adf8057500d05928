"""Converting takes everything or nothing, and lists what does not fit."""

import numpy as np
import pytest
from pure_weights import pure_state

from zoo.backbones import FPN, ResNet, create_backbone
from zoo.weights import convert_into, list_architectures
from zoo.weights.architectures import parts_of
from zoo.weights.tables import prefixed

RESNET = "torchvision:resnet18"


def resnet18(**kwargs):
    backbone = ResNet(18, **kwargs)
    backbone.build((None, 64, 64, 3))
    return backbone


def foreign_state(layer, architecture=RESNET):
    """A state dict of the shapes that a layer takes from an architecture."""
    shapes = {}
    for part, table in parts_of(layer, architecture):
        weights = {w.path.removeprefix(f"{part.path}/"): w for w in part.weights}
        for name, (path, axes) in table.items():
            if path in weights:
                shape = weights[path].shape
                inverse = range(len(shape)) if axes is None else np.argsort(axes)
                shapes[name] = [shape[axis] for axis in inverse]
    return pure_state(shapes)


def test_every_weight_comes_from_the_file():
    backbone = resnet18()
    state = foreign_state(backbone)
    convert_into(backbone, state, RESNET)
    kernel = state["layer1.0.conv1.weight"]
    block = next(block for block in backbone.blocks if block.name == "layer1_0")
    found = np.asarray(block.blocks[0].conv.get_weights()[0])
    np.testing.assert_array_equal(found[1, 2, 3, 4], kernel[4, 3, 1, 2])


def test_all_that_does_not_fit_is_listed_and_nothing_is_changed():
    backbone = resnet18()
    before = backbone.get_weights()
    state = foreign_state(backbone)
    del state["conv1.weight"], state["bn1.bias"]
    state["layer1.0.conv1.weight"] = np.zeros((64, 64, 5, 5), "float32")
    state["extra.weight"] = np.zeros(3, "float32")
    state["bn1.num_batches_tracked"] = np.zeros((), "int64")
    with pytest.raises(ValueError, match="not those of torchvision:resnet18") as caught:
        convert_into(backbone, state, RESNET)
    told = sorted(line.strip() for line in str(caught.value).splitlines()[1:])
    assert told == [
        "mis-shaped: layer1.0.conv1.weight (64, 64, 5, 5), "
        "for layer1_0/conv1/conv/kernel (3, 3, 64, 64)",
        "missing: bn1.bias, for stem/norm/beta (64,)",
        "missing: conv1.weight, for stem/conv/kernel (7, 7, 3, 64)",
        "surplus: extra.weight (3,)",
    ]
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_classifier_and_deeper_levels_in_the_file_are_no_surplus():
    state = foreign_state(resnet18()) | {"fc.weight": np.zeros((1000, 512)), "fc.bias": np.zeros(9)}
    convert_into(resnet18(levels=("c2",)), state, RESNET)


def test_another_depth_is_told_by_the_blocks_without_a_source():
    deeper = ResNet(34)
    deeper.build((None, 64, 64, 3))
    with pytest.raises(ValueError, match=r"no source: .*layer1_2/conv1/conv/kernel"):
        convert_into(deeper, foreign_state(resnet18()), RESNET)


def test_a_pyramids_names_may_stand_under_a_prefix():
    pyramid = FPN(ResNet(18), channels=8)
    pyramid.build((None, 64, 64, 3))
    state = foreign_state(pyramid, "torchvision:resnet18_fpn")
    assert {name.split(".")[0] for name in state} == {"body", "fpn"}
    assert {name.split(".")[0] for name in prefixed(state, "backbone.")} == {"backbone"}
    convert_into(pyramid, state, "torchvision:resnet18_fpn")


def test_a_layer_without_weights_must_be_built_first():
    with pytest.raises(ValueError, match="build it first"):
        convert_into(ResNet(18), {}, RESNET)


def test_an_unknown_architecture_names_near_ones():
    assert RESNET in list_architectures()
    with pytest.raises(ValueError, match=r"Did you mean .*'torchvision:resnet18'"):
        convert_into(resnet18(levels=("c1",)), {}, "torchvision:resnet_18")


def test_create_backbone_reads_a_file(tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    state = foreign_state(resnet18())
    numpy_files.save_file(state, tmp_path / "resnet18.safetensors")
    backbone = create_backbone("resnet18", weights=tmp_path / "resnet18.safetensors", fpn=8)
    backbone.build((None, 64, 64, 3))
    gamma = next(w for w in backbone.weights if w.path.endswith("resnet18/stem/norm/gamma"))
    np.testing.assert_array_equal(np.asarray(gamma.numpy()), state["bn1.weight"])


def test_tiny_cnn_refuses_what_it_has_not():
    with pytest.raises(ValueError, match="got freeze"):
        create_backbone("tiny_cnn", freeze=1)
