"""The operations inside what backends trace: unknown batch sizes, and gradients that pass by."""

import keras
import numpy as np
import pytest
from compilation import gradient
from keras import ops

from zoo.ops import balanced_sample, batched_nms, hard_negative_mask, match_anchors, pairwise_iou

BOXES = np.float32([[[0, 0, 2, 2], [0, 0, 2, 1.5], [3, 3, 4, 4]]])
SCORES = np.float32([[0.9, 0.8, 0.7]])


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow traces without sizes"
)
def test_the_batch_size_may_be_unknown():
    import tensorflow as tf

    signature = [tf.TensorSpec((None, 3, 4)), tf.TensorSpec((None, 3))]

    @tf.function(input_signature=signature)
    def everything(boxes, scores):
        matches = match_anchors(pairwise_iou(boxes, boxes), scores > 0)
        positives = matches == 0
        return (
            matches,
            hard_negative_mask(scores, positives, ~positives),
            balanced_sample(positives, ~positives, num_samples=2, positive_fraction=0.5, seed=0),
            batched_nms(boxes, scores, tf.zeros_like(scores), 0.5, 2),
        )

    for batch in (1, 4):
        parts = everything(np.repeat(BOXES, batch, 0), np.repeat(SCORES, batch, 0))
        assert {part.shape[0] for part in parts} == {batch}
        np.testing.assert_array_equal(parts[0][0], [0, 1, 2])
        np.testing.assert_array_equal(parts[3][0], [0, 2])


def test_gradients_pass_by_the_selection():
    # The loss looks at the boxes that NMS keeps, the first and the third; their gradient is 1.
    def kept_coordinates(boxes):
        kept = batched_nms(boxes, SCORES[0], np.zeros(3, "int32"), 0.5, 2)
        return ops.take(boxes, kept, axis=0)

    np.testing.assert_array_equal(gradient(kept_coordinates, BOXES[0]), [[1] * 4, [0] * 4, [1] * 4])


def test_gradients_pass_by_the_matching():
    def matched_overlap(boxes):
        iou = pairwise_iou(BOXES, boxes[None])
        matches = match_anchors(iou, np.ones((1, 3), bool))
        return ops.take_along_axis(iou, ops.maximum(matches, 0)[..., None], axis=2)

    slope = gradient(matched_overlap, BOXES[0] + np.float32([0.1, 0.1, 0.1, 0.1]))
    assert np.isfinite(slope).all()
    assert (np.abs(slope).sum(axis=1) > 0).all()
