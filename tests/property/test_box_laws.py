"""Laws of boxes: what holds for all of them, tried on what hypothesis thinks up.

Coordinates are multiples of 1/64 within 0..4: the sums are exact in float32, and empty, touching,
nested and equal boxes come up often.
"""

from functools import cache, partial

import hypothesis.strategies as st
import numpy as np
import pytest
from compilation import compiled
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from keras import ops

from zoo.ops import (
    batched_nms,
    box_area,
    clip_boxes,
    convert_boxes,
    decode_boxes,
    encode_boxes,
    match_anchors,
    nms,
    pairwise_iou,
)

NUMBER = 12
KINDS = ("iou", "giou", "diou", "ciou")
FORMATS = ("xyxy", "xywh", "cxcywh", "yxyx")
laws = settings(max_examples=30, deadline=None, derandomize=True)


def corners(smallest=0):
    """NUMBER boxes whose sides are at least `smallest` / 64."""
    cells = arrays("int32", (NUMBER, 2), elements=st.integers(0, 128))
    sides = arrays("int32", (NUMBER, 2), elements=st.integers(smallest, 128))
    return st.builds(lambda a, b: np.float32(np.hstack([a, a + b]) / 64), cells, sides)


def scores():
    return arrays("float32", (NUMBER,), elements=st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0]))


@cache
def quick(function, **options):
    return compiled(partial(function, **options))


def run(function, *values, **options):
    """Run compiled once for all examples: their shapes are the same."""
    tensors = [ops.convert_to_tensor(value) for value in values]
    return ops.convert_to_numpy(quick(function, **options)(*tensors))


@laws
@given(corners(), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_converting_there_and_back_is_the_identity(boxes, source, target):
    there = run(convert_boxes, boxes, source=source, target=target)
    np.testing.assert_array_equal(run(convert_boxes, there, source=target, target=source), boxes)


@laws
@given(corners(smallest=1), corners(smallest=1))
def test_decoding_undoes_encoding(boxes, anchors):
    deltas = run(encode_boxes, boxes, anchors)
    # float32: a few roundings of numbers up to 4, through log and exp of ratios up to 128.
    np.testing.assert_allclose(run(decode_boxes, deltas, anchors), boxes, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
@laws
@given(boxes1=corners(), boxes2=corners())
def test_overlap_is_symmetric(kind, boxes1, boxes2):
    there = run(pairwise_iou, boxes1, boxes2, kind=kind)
    back = run(pairwise_iou, boxes2, boxes1, kind=kind)
    np.testing.assert_allclose(there, back.T, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@laws
@given(boxes1=corners(), boxes2=corners(), scale=st.sampled_from([1 / 256, 0.5, 512]))
def test_overlap_does_not_depend_on_the_unit(kind, boxes1, boxes2, scale):
    plain = run(pairwise_iou, boxes1, boxes2, kind=kind)
    scaled = run(pairwise_iou, boxes1 * np.float32(scale), boxes2 * np.float32(scale), kind=kind)
    np.testing.assert_allclose(scaled, plain, atol=1e-6)


@laws
@given(boxes1=corners(), boxes2=corners())
def test_each_stricter_overlap_is_lower(boxes1, boxes2):
    iou, giou, diou, ciou = (run(pairwise_iou, boxes1, boxes2, kind=kind) for kind in KINDS)
    assert (iou >= 0).all()
    assert (iou <= 1).all()
    for stricter, looser in ((giou, iou), (diou, iou), (ciou, diou)):
        assert (stricter <= looser + 1e-6).all()
    assert (giou >= -1 - 1e-6).all()
    assert (diou >= -1 - 1e-6).all()


@laws
@given(corners())
def test_a_box_overlaps_itself_fully_unless_it_is_empty(boxes):
    diagonal = np.diagonal(run(pairwise_iou, boxes, boxes))
    np.testing.assert_array_equal(diagonal, run(box_area, boxes) > 0)


@laws
@given(corners())
def test_clipping_twice_is_clipping_once(boxes):
    once = run(clip_boxes, boxes)
    np.testing.assert_array_equal(run(clip_boxes, once), once)
    assert (run(box_area, once) <= run(box_area, boxes)).all()


@laws
@given(boxes=corners(), confidence=scores())
def test_survivors_lie_below_the_threshold_and_cover_the_rest(boxes, confidence):
    kept = run(nms, boxes, confidence, iou_threshold=0.5, max_output=NUMBER)
    kept = kept[kept >= 0]
    iou = run(pairwise_iou, boxes, boxes)
    among = iou[np.ix_(kept, kept)]
    assert (among[~np.eye(len(kept), dtype=bool)] <= 0.5).all()
    for lost in set(range(NUMBER)) - set(kept.tolist()):
        better = confidence[kept] >= confidence[lost]
        assert (iou[lost, kept[better]] > 0.5).any()


@laws
@given(boxes=corners(), confidence=scores())
def test_survivors_come_by_falling_score(boxes, confidence):
    kept = run(nms, boxes, confidence, iou_threshold=0.5, max_output=NUMBER)
    assert (np.diff(confidence[kept[kept >= 0]]) <= 0).all()


@laws
@given(boxes=corners(), confidence=scores(), shift=st.integers(1, NUMBER - 1))
def test_suppression_does_not_depend_on_padding(boxes, confidence, shift):
    confidence = np.where(np.arange(NUMBER) < shift, confidence, -np.inf).astype("float32")
    elsewhere = np.where((np.arange(NUMBER) < shift)[:, None], boxes, -1).astype("float32")
    options = {"iou_threshold": 0.3, "max_output": NUMBER}
    np.testing.assert_array_equal(
        run(nms, boxes, confidence, **options), run(nms, elsewhere, confidence, **options)
    )


@laws
@given(
    boxes=corners(),
    confidence=scores(),
    labels=arrays("int32", (NUMBER,), elements=st.integers(0, 2)),
)
def test_labels_are_suppressed_each_by_themselves(boxes, confidence, labels):
    options = {"iou_threshold": 0.5, "max_output": NUMBER}
    together = set(run(batched_nms, boxes, confidence, labels, **options).tolist()) - {-1}
    apart = set()
    for label in range(3):
        alone = np.where(labels == label, confidence, -np.inf).astype("float32")
        apart |= set(run(nms, boxes, alone, **options).tolist())
    assert together == apart - {-1}


@laws
@given(anchors=corners(), boxes=corners(), padding=st.integers(0, NUMBER))
def test_every_object_an_anchor_reaches_is_matched(anchors, boxes, padding):
    valid = np.arange(NUMBER) >= padding
    iou = run(pairwise_iou, anchors, boxes)
    matches = run(match_anchors, iou[None], valid[None])[0]
    assert not set(matches.tolist()) & set(range(padding))
    free = matches < 0
    for box in np.flatnonzero(valid & ~np.isin(np.arange(NUMBER), matches)):
        assert iou[free, box].max(initial=0) == 0
