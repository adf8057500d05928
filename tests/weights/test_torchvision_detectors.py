"""Detectors give what torchvision's give, stage by stage, with the weights of their names.

The fixtures are those of `benchmarks/torchvision_fixtures.py`, as in
`test_torchvision_backbones.py`; three classes and the background.
"""

import keras
import numpy as np
import pytest
from cases import compiled
from pure_weights import pure_photograph, pure_pictures, pure_rois, read_fixture

import zoo
from zoo.weights import convert_into

CLASSES = 3


def assert_near(found, wanted, name):
    """Float32 sums in another order; fifty layers carry it to some 1e-5 of the scale."""
    found = keras.ops.convert_to_numpy(found)
    limit = 2e-4 * np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, atol=limit, rtol=0, err_msg=name)


def test_ssd300_gives_what_torchvisions_gives():
    state, wanted = read_fixture("ssd300_vgg16")
    task = zoo.create("ssd300_vgg16", num_classes=CLASSES)
    convert_into(task, state, "torchvision:ssd300_vgg16")
    head = compiled(lambda images: task.head(task.backbone(images, training=False)))
    outputs = head(pure_pictures(1, 300, 300))
    np.testing.assert_allclose(task.anchors[::97], wanted["anchors"], atol=1e-5)
    for name in ("class_logits", "box_deltas"):
        assert_near(outputs[name][:, ::97], wanted[name], name)


def two_stages(task):
    """The function of both stages on pictures and regions, and on regions the masks if any."""

    def run(images, rois):
        features = task.backbone(images, training=False)
        seen = features[: task.roi_levels]
        outputs = task.rpn_head(features) | task.box_head(task.crop(task.roi_crop, seen, rois))
        if hasattr(task, "mask_head"):
            outputs["mask_logits"] = task.mask_head(task.crop(task.mask_crop, seen, rois))
        return outputs

    return compiled(run)


@pytest.mark.parametrize("name", ["faster_rcnn", "mask_rcnn"])
def test_a_two_stage_detector_gives_what_torchvisions_gives(name):
    architecture = f"{name.replace('_', '')}_resnet50_fpn"
    state, wanted = read_fixture(architecture)
    task = zoo.create(name, num_classes=CLASSES, image_size=128)
    convert_into(task, state, f"torchvision:{architecture}")
    outputs = two_stages(task)(pure_pictures(1, 128, 128), pure_rois())
    np.testing.assert_allclose(task.anchors[::31], wanted["anchors"], atol=1e-5)
    for name, rows in (("objectness", 31), ("deltas", 31)):
        assert_near(outputs[name][:, ::rows], wanted[name], name)
    for name in ("class_logits", "box_deltas"):
        assert_near(outputs[name][0], wanted[name], name)
    if "mask_logits" in wanted:
        assert_near(outputs["mask_logits"][0][:, ::9, ::9], wanted["mask_logits"], "mask_logits")


def test_faster_rcnn_finds_what_torchvisions_finds():
    state, wanted = read_fixture("fasterrcnn_resnet50_fpn")
    task = zoo.create("faster_rcnn", num_classes=CLASSES, image_size=256)
    convert_into(task, state, "torchvision:fasterrcnn_resnet50_fpn")
    (found,) = task.detect(pure_photograph(256), batch_size=1)
    boxes, scores, labels = np.split(wanted["detections"], [4, 5], axis=1)
    assert len(found) == len(boxes)
    np.testing.assert_allclose(found.scores, scores[:, 0], atol=1e-3)
    # Scores that are equal but for rounding may stand in another order.
    same = np.abs(found.boxes[:, None] - boxes).max(-1) < 0.5  # pixels
    same &= found.labels[:, None] == labels[:, 0]
    assert same.any(1).mean() >= 0.97
    assert same.any(0).mean() >= 0.97


def test_names_of_the_files_that_torchvision_publishes_are_known():
    from zoo.weights.detector_tables import modern_names

    old = {
        "backbone.fpn.inner_blocks.0.weight": "backbone.fpn.inner_blocks.0.0.weight",
        "rpn.head.conv.bias": "rpn.head.conv.0.0.bias",
        "roi_heads.mask_head.mask_fcn1.weight": "roi_heads.mask_head.0.0.weight",
        "roi_heads.mask_predictor.mask_fcn_logits.bias": (
            "roi_heads.mask_predictor.mask_fcn_logits.bias"
        ),
    }
    assert list(modern_names(old)) == list(old.values())
    assert list(modern_names(modern_names(old))) == list(old.values())
