"""Augmentation in the stream of batches: repeatable, resumable, and the same on every backend."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.data.test_pipeline import assert_same_batches, stream
from tests.data.test_sources import in_memory
from zoo.data.augment import POLICIES
from zoo.layers.image_converter import ImageConverter

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[2]
SMALL = ImageConverter((64, 64))
EVERY_STEP = ["vertical_flip", "random_resized_crop", "mosaic", "expand", "mixup", "iou_crop"]


def plain_pictures(count=8, side=32):
    """Return a source of one-coloured pictures, grey 20, 40, ..., with one mask each."""
    import io

    records = []
    for number in range(count):
        encoded = io.BytesIO()
        Image.new("RGB", (2 * side, side), (20 * (number + 1),) * 3).save(encoded, "PNG")
        mask = np.zeros((side, 2 * side), np.uint8)
        mask[8:24, 16:32] = 1
        records.append(
            {
                "image": encoded.getvalue(),
                "image_id": f"{number}".encode(),
                "boxes": np.float32([[0.25, 0.25, 0.5, 0.75]]),
                "labels": np.int32([1]),
                "crowd": np.array([False]),
                "area": np.float32([0.125]),
                "height": np.int32(side),
                "width": np.int32(2 * side),
                "masks": np.array([coco_mask.encode(np.asfortranarray(mask))["counts"]], object),
                "segmentation": b"",
            }
        )
    return in_memory(records)


@pytest.mark.parametrize("augment", [*POLICIES, EVERY_STEP], ids=[*POLICIES, "every step"])
def test_stream_entered_at_a_step_equals_the_uninterrupted_one(bananas, augment):
    options = {"epochs": 2, "augment": augment, "converter": SMALL}
    whole = stream(bananas, **options)
    assert len(whole) == 10
    assert_same_batches(stream(bananas, start_step=7, **options), whole[7:])
    if augment == "strong":  # from the middle of the first epoch, and from memory
        assert_same_batches(stream(bananas, start_step=3, cache=True, **options), whole[3:])


@pytest.mark.parametrize("augment", [(), "ssd", EVERY_STEP], ids=["none", "ssd", "every step"])
def test_shares_of_a_batch_put_together_are_the_batch(bananas, augment):
    options = {"epochs": 2, "start_step": 3, "augment": augment, "converter": SMALL}
    whole = stream(bananas, **options)
    shares = [stream(bananas, share=(part, 2), **options) for part in range(2)]
    joined = [
        (np.concatenate([images, others]), {name: np.concatenate([y[name], z[name]]) for name in y})
        for (images, y), (others, z) in zip(*shares, strict=True)
    ]
    assert len(joined) == 7
    assert_same_batches(joined, whole)


def test_evaluation_is_not_shared(bananas):
    assert_same_batches(
        stream(bananas, "val", training=False, share=(1, 2)), stream(bananas, "val", training=False)
    )


def test_mixing_changes_with_the_seed_and_the_epoch(bananas):
    options = {"epochs": 2, "augment": ["mosaic"], "converter": SMALL}
    first = [images.tobytes() for images, _ in stream(bananas, **options)]
    other = [images.tobytes() for images, _ in stream(bananas, **options | {"seed": 6})]
    assert len(set(first + other)) == len(first) + len(other)


def test_mosaic_is_made_of_a_picture_and_three_others_of_its_batch():
    source = plain_pictures()
    options = {"split": "val", "converter": SMALL, "batch_size": 8, "seed": 2}
    ((plain, _),) = stream(source, **options)
    ((mixed, targets),) = stream(source, augment=["mosaic"], **options)
    partners = []
    for before, after in zip(plain, mixed, strict=True):
        greys = after[[0, 0, -1, -1], [0, -1, 0, -1], 0].tolist()
        assert greys[0] == before[0, 0, 0]
        assert len(set(greys)) == 4
        assert set(greys) <= set(plain[:, 0, 0, 0])
        partners.append(greys)
    for place in range(4):  # each picture is used in every corner once
        assert len({greys[place] for greys in partners}) == 8
    assert set(targets["labels"].ravel()) <= {1, -1}


def test_masks_come_at_the_networks_size_where_asked_for():
    options = {"split": "val", "converter": SMALL, "batch_size": 4, "masks": True}
    for cache in (False, True):
        batches = stream(plain_pictures(4), training=False, cache=cache, **options)
        ((_, targets),) = batches
        expected = np.zeros((64, 64), bool)
        expected[16:48, 16:32] = True  # 32 x 64 pixels stretched to 64 x 64
        assert targets["masks"].dtype == np.uint8  # replicas' batches are added up
        np.testing.assert_array_equal(targets["masks"][:, 0], [expected] * 4)
        assert not targets["masks"][:, 1:].any()


def test_masks_lie_where_a_letterbox_puts_the_picture():
    converter = ImageConverter((64, 64), mode="letterbox")
    options = {"split": "val", "converter": converter, "batch_size": 4, "masks": True}
    ((_, targets),) = stream(plain_pictures(4), training=False, **options)
    for mask, box in zip(targets["masks"][:, 0], targets["boxes"][:, 0], strict=True):
        rows, columns = np.nonzero(mask)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box * 64, found, atol=1e-4)


def test_masks_go_through_a_whole_policy():
    source = plain_pictures()
    options = {"split": "val", "converter": SMALL, "batch_size": 8, "max_boxes": 4}
    ((_, targets),) = stream(source, augment="strong", masks=True, **options)
    kept = targets["labels"] >= 0
    assert kept.any()
    assert targets["masks"][kept].any(axis=(1, 2)).all()
    assert not targets["masks"][~kept].any()


DIGEST = """
import sys, tests.conftest
from zoo.data import load_source
from tests.data.test_augment_stream import digest
print(digest(load_source("bananas", train_size=22, val_size=5, data_dir=sys.argv[1])))
"""


def digest(source):
    """Return one number for all that two policies, of every kind of step, make of a set."""
    sha = hashlib.sha256()
    for augment in ("ssd", "strong"):
        for images, targets in stream(source, augment=augment, converter=SMALL):
            for array in (images, targets["boxes"], targets["labels"]):
                sha.update(array.tobytes())
    return sha.hexdigest()


@pytest.mark.slow
def test_same_seed_gives_the_same_pictures_under_every_backend(bananas, cache_dir):
    def start(backend):
        command = [sys.executable, "-c", DIGEST, str(cache_dir)]
        environment = os.environ | {"KERAS_BACKEND": backend}
        return subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    others = [start(backend) for backend in ("jax", "torch")]
    expected = digest(bananas)
    assert [process.communicate(timeout=240)[0].strip() for process in others] == [expected] * 2
