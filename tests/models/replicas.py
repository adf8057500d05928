"""Train on one device and on two replicas from one start, and print how far they end apart.

Run by test_replicas.py in a process of its own: the number of devices is fixed when a backend
starts.
"""

import json
import sys
from pathlib import Path

from flows.runtime import prepare_process

BACKEND = prepare_process()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from cases import (  # noqa: E402
    small_fast_rcnn,
    small_fcn,
    small_mask_rcnn,
    small_rcnn,
    small_ssd,
    small_yolo,
    square_classes,
    square_masks,
    squares,
    with_proposals,
)

import zoo  # noqa: E402
from zoo.training.distribution import build_distribution  # noqa: E402

STEPS, PICTURES = 3, 8


KIND = {"tensorflow": "mirrored", "jax": "data_parallel"}


# On TensorFlow a replica sees its own half of a batch: its batch statistics are other ones by
# design. On JAX they are those of the whole batch, but over the few cells of the last levels they
# blow rounding up to 2e-4. Frozen, batch norm leaves what is tested: losses, gradients.


def ssd(loss):
    task = small_ssd(loss=loss, dtype="float32")
    for block in task.backbone.base_blocks + task.backbone.level_blocks:
        for norm in block.norms:
            norm.trainable = False
    return task


def yolo():
    backbone = zoo.backbones.ResNet(18, levels=("c3",), frozen_norm=True, dtype="float32")
    return small_yolo(backbone=backbone, dtype="float32")


def mask_rcnn():
    # All anchors and regions are in the sample: a draw would be another one in each replica.
    everything = {"rpn_samples": 10_000, "roi_samples": 400}
    return small_mask_rcnn(frozen_norm=True, dtype="float32", **everything)


def rcnn():
    backbone = zoo.backbones.ResNet(18, levels=("c2",), frozen_norm=True, dtype="float32")
    # All regions are in the sample: a draw would be another one in each replica.
    return small_rcnn(backbone=backbone, roi_samples=200, proposals=8, dtype="float32")


def fcn():
    return small_fcn(frozen_norm=True, dtype="float32")


def fast_rcnn():
    backbone = zoo.backbones.ResNet(18, levels=("c3",), frozen_norm=True, dtype="float32")
    return small_fast_rcnn(backbone=backbone, roi_samples=200, dtype="float32")


TASKS = {
    "book": (lambda: ssd(zoo.losses.AnchorMeanLoss()), 0.1),
    "multibox": (lambda: ssd(zoo.losses.MultiBoxLoss(smooth=True)), 0.1),  # smooth as SSD300's
    "mask_rcnn": (mask_rcnn, 0.01),  # and all of Faster R-CNN's
    "fast_rcnn": (fast_rcnn, 0.01),
    "fcn": (fcn, 0.01),
    "rcnn": (rcnn, 0.01),
    "yolo": (yolo, 3e-4),  # sums over a picture: its gradients are larger
}


def build(name):
    create, rate = TASKS[name]
    task = create()
    # Clipped, where that is the gradient of the whole batch and not of a replica.
    clip = 0.5 if name == "multibox" else None
    task.compile(optimizer=keras.optimizers.SGD(rate, momentum=0.9, global_clipnorm=clip))
    return task


def train(task):
    """Return the metrics of the epoch; pictures differ in their number of positives."""
    images, labels = squares(PICTURES * STEPS, seed=4)
    labels["labels"][::3] = -1
    if task.kind == "segmentation":  # pictures differ in how many pixels have a class
        classes = square_classes(labels)
        classes[::2, :40] = 255
        labels = {"segmentation": classes}
    if task.kind == "detection" and "masks" in task.result_kinds:
        labels["masks"] = square_masks(labels).astype("uint8")  # as the pipeline gives them
    inputs = images if getattr(task, "proposer", None) is None else with_proposals(task, images)
    history = task.fit(inputs, labels, batch_size=PICTURES, shuffle=False, verbose=0).history
    return {name: values[0] for name, values in history.items()}


def compare(name, distribution):
    alone = build(name)
    start = alone.get_weights()
    expected = train(alone)
    with distribution.scope():
        shared = build(name)
        distribution.attach(shared)
        shared.set_weights(start)
        got = train(shared)
    pairs = list(zip(alone.get_weights(), shared.get_weights(), start, strict=True))
    return {
        "replicas": distribution.devices,
        "weights": max(float(np.abs(a - b).max()) for a, b, _ in pairs),
        "moved": max(float(np.abs(a - s).max()) for a, _, s in pairs),
        "metrics": {metric: [expected[metric], got[metric]] for metric in expected},
    }


if __name__ == "__main__":
    two = build_distribution(KIND[BACKEND], devices=2)
    print(json.dumps({name: compare(name, two) for name in TASKS}))
