"""Detectors give what torchvision's give, stage by stage, with the weights of their names.

The fixtures are those of `benchmarks/torchvision_fixtures.py`, as in
`test_torchvision_backbones.py`; three classes and the background.
"""

import keras
import numpy as np
import pytest
from cases import SLOW_ON_JAX, compiled
from pure_weights import pure_photograph, pure_pictures, pure_rois, read_fixture

import zoo
from zoo.weights import convert_into

CLASSES = 3


def assert_near(found, wanted, name):
    """Float32 sums in another order; fifty layers carry it to some 1e-5 of the scale."""
    found = keras.ops.convert_to_numpy(found)
    limit = 2e-4 * np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, atol=limit, rtol=0, err_msg=name)


def counterparts(found, detections, side):
    """For each row of torchvision's the detection next to it: equal scores stand in any order."""
    boxes, scores, labels = np.split(detections, [4, 5], axis=1)
    apart = np.abs(found.boxes[:, None] - boxes).max(-1) / side
    apart = np.maximum(apart, np.abs(found.scores[:, None] - scores[:, 0]))
    apart[found.labels[:, None] != labels[:, 0]] = np.inf
    rows = apart.argmin(axis=0)
    assert len(set(rows)) == len(found) == len(rows) >= 50
    # Of the picture's side, and of a score; rounding comes to 2e-5.
    assert apart[rows, np.arange(len(rows))].max() < 1e-4
    return rows


def converted(preset, architecture, **options):
    state, wanted = read_fixture(architecture)
    task = zoo.create(preset, num_classes=CLASSES, **options)
    convert_into(task, state, f"torchvision:{architecture}")
    return task, wanted


@SLOW_ON_JAX
def test_ssd300_gives_and_finds_what_torchvisions_does():
    task, wanted = converted("ssd300_vgg16", "ssd300_vgg16", image_size=300, caffe_pixels=True)
    head = compiled(lambda images: task.head(task.backbone(images, training=False)))
    outputs = head(pure_pictures(1, 300, 300))
    np.testing.assert_allclose(task.anchors[::97], wanted["anchors"], atol=1e-5)
    for name in ("class_logits", "box_deltas"):
        assert_near(outputs[name][:, ::97], wanted[name], name)
    (found,) = task.detect(pure_photograph(300), batch_size=1)
    counterparts(found, wanted["detections"], 300)


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


@pytest.fixture(scope="module", params=["faster_rcnn", "mask_rcnn"])
def two_stage(request):
    """A task with torchvision's weights, and what torchvision computes with them."""
    name = request.param
    return converted(name, f"{name.replace('_', '')}_resnet50_fpn", image_size=128, proposals=200)


@SLOW_ON_JAX
def test_a_two_stage_detector_gives_what_torchvisions_gives(two_stage):
    task, wanted = two_stage
    outputs = two_stages(task)(pure_pictures(1, 128, 128), pure_rois())
    np.testing.assert_allclose(task.anchors[::31], wanted["anchors"], atol=1e-5)
    for name, rows in (("objectness", 31), ("deltas", 31)):
        assert_near(outputs[name][:, ::rows], wanted[name], name)
    for name in ("class_logits", "box_deltas"):
        assert_near(outputs[name][0], wanted[name], name)
    if "mask_logits" in wanted:
        assert_near(outputs["mask_logits"][0][:, ::9, ::9], wanted["mask_logits"], "mask_logits")


@SLOW_ON_JAX
def test_a_two_stage_detector_finds_what_torchvisions_finds(two_stage):
    task, wanted = two_stage
    (found,) = task.detect(pure_photograph(128), batch_size=1)
    rows = counterparts(found, wanted["detections"], 128)
    if "mask_areas" in wanted:
        # A pixel whose probability is .5 but for rounding may fall to either side.
        masks = found.masks[rows]
        apart = np.abs(masks.sum((1, 2)) - wanted["mask_areas"])
        assert apart.sum() < 1e-3 * wanted["mask_areas"].sum()
        pixels = np.unpackbits(wanted["mask_pixels"]).reshape(-1, 32, 32)
        assert (masks[:, ::4, ::4] != pixels).sum() < 1e-3 * pixels.sum()


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
