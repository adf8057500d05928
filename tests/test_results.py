"""Detections: what it holds, refuses and writes."""

import json
import pickle

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from zoo.results import Detections

pytestmark = pytest.mark.any_backend

BOXES = [(10, 20, 30, 60), (0, 0, 5, 5)]


def two_objects(**fields):
    return Detections(boxes=BOXES, scores=[0.9, 0.25], labels=[1, 0], **fields)


def test_arrays_get_the_documented_types():
    found = two_objects(crowd=[0, 1], areas=[8, 9], masks=np.ones((2, 3, 4)))
    types = {name: getattr(found, name).dtype.name for name in ("boxes", "scores", "labels")}
    assert types == {"boxes": "float32", "scores": "float32", "labels": "int32"}
    assert [getattr(found, n).dtype.name for n in ("crowd", "areas", "masks")] == [
        "bool",
        "float32",
        "bool",
    ]


def test_arrays_are_read_only_and_the_callers_are_not():
    boxes = np.zeros((1, 4), np.float32)
    found = Detections(boxes=boxes, scores=[1], labels=[0])
    with pytest.raises(ValueError, match="read-only"):
        found.boxes[0] = 1
    boxes[0] = 1
    assert found.boxes.sum() == 0


def test_masks_are_held_as_run_lengths():
    rows, columns = np.mgrid[:500, :800]
    discs = [(rows - 250) ** 2 + (columns - x) ** 2 < 90**2 for x in range(100, 700, 6)]
    found = Detections(boxes=np.zeros((100, 4)), scores=[1] * 100, labels=[0] * 100, masks=discs)
    np.testing.assert_array_equal(found.masks[99], discs[99])
    assert len(pickle.dumps(found)) < 200_000  # of 40 million pixels


def test_other_labels_keep_the_rest():
    found = two_objects(class_names=("a", "b"), areas=[8, 9], masks=np.ones((2, 3, 4)))
    other = found.relabelled(np.array([0, 2]), ("b", "c", "d"))
    assert (other.labels.tolist(), other.class_names) == ([0, 2], ("b", "c", "d"))
    assert (other.areas.tolist(), other.masks.sum()) == ([8.0, 9.0], 24)


def test_length_is_the_number_of_objects():
    assert [len(two_objects()), len(Detections.empty())] == [2, 0]


def test_above_keeps_equal_scores_and_every_column():
    found = two_objects(class_names=("a", "b"), areas=[8, 9], masks=np.ones((2, 3, 4)))
    kept = found.above(0.9 - 1e-6)
    assert (len(kept), kept.labels.tolist(), kept.areas.tolist()) == (1, [1], [8.0])
    assert (kept.masks.shape, kept.class_names) == ((1, 3, 4), ("a", "b"))
    assert len(found.above(0.25)) == 2


def test_take_keeps_the_order_it_is_given():
    found = two_objects(crowd=[True, False])
    swapped = found.take(np.array([1, 0]))
    assert (swapped.labels.tolist(), swapped.crowd.tolist()) == ([0, 1], [False, True])
    assert len(found.take(np.zeros(2, bool))) == 0


def test_ground_truth_scores_one():
    truth = Detections.ground_truth(BOXES, [0, 1], ("a", "b"), crowd=[True, False], areas=[1, 2])
    assert truth.scores.tolist() == [1.0, 1.0]
    assert truth.crowd.tolist() == [True, False]


def test_an_empty_list_is_no_boxes():
    assert Detections(boxes=[], scores=[], labels=[]).boxes.shape == (0, 4)
    assert Detections.ground_truth([], []).to_coco(1) == []


def test_to_coco_writes_corner_and_size_as_json():
    rows = json.loads(json.dumps(two_objects().to_coco("picture.jpg")))
    assert rows[1] == {
        "image_id": "picture.jpg",
        "category_id": 0,
        "bbox": [0.0, 0.0, 5.0, 5.0],
        "score": 0.25,
    }
    assert rows[0]["bbox"] == [10.0, 20.0, 20.0, 40.0]


def test_to_coco_writes_masks_that_decode_to_themselves():
    masks = np.random.default_rng(0).random((2, 7, 5)) > 0.5
    rows = json.loads(json.dumps(two_objects(masks=masks).to_coco(3)))
    for row, mask in zip(rows, masks, strict=True):
        np.testing.assert_array_equal(mask_utils.decode(row["segmentation"]).astype(bool), mask)


def test_results_can_be_pickled():
    found = two_objects(class_names=("a", "b"), masks=np.ones((2, 3, 4)))
    twin = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(twin.boxes, found.boxes)
    np.testing.assert_array_equal(twin.masks, found.masks)
    assert twin.class_names == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"boxes": np.zeros((2, 5))}, r"boxes must be \(K, 4\).*got \(2, 5\).*class column"),
        ({"boxes": np.zeros((1, 2, 4))}, r"got \(1, 2, 4\)"),
        ({"scores": [1.0]}, r"scores must be \(K,\) with K=2 .*got \(1,\)"),
        ({"labels": [[0], [1]]}, r"labels must be .*got \(2, 1\)"),
        ({"masks": np.zeros((2, 4))}, r"masks must be \(K, h, w\)"),
        ({"masks": np.zeros((3, 4, 4))}, r"masks must be .* with K=2 .*got \(3, 4, 4\)"),
        ({"crowd": [True]}, r"crowd must be"),
        ({"areas": [1.0, 2.0, 3.0]}, r"areas must be"),
        ({"labels": [0, -1]}, "leave the padding in"),
        (
            {"labels": [0, 2], "class_names": ("a", "b")},
            r"labels must be below 2.*got 2.*background",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_likely_cause(fields, message):
    with pytest.raises(ValueError, match=message):
        Detections(**{"boxes": BOXES, "scores": [0.9, 0.2], "labels": [1, 0]} | fields)
