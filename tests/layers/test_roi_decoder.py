"""Detections of the second stage are those of plain loops over classes and regions."""

import keras
import numpy as np
from cases import compiled
from keras import ops

from zoo.layers import BoxCoder, RoIDecoder, class_probabilities


def batch(seed=0, pictures=2, regions=30, classes=3):
    rng = np.random.default_rng(seed)
    centres, sides = rng.uniform(0.2, 0.8, (pictures, regions, 2)), rng.uniform(0.1, 0.3, 2)
    proposals = np.concatenate([centres - sides / 2, centres + sides / 2], -1)
    proposals[:, -4:] = 0  # padding
    logits = rng.normal(0, 2, (pictures, regions, classes + 1))
    deltas = rng.normal(0, 1, (pictures, regions, classes, 4))
    return tuple(values.astype("float32") for values in (logits, deltas, proposals))


def decode(decoder, logits, deltas, proposals):
    def answer(logits, deltas, proposals):
        return decoder(class_probabilities(logits), deltas, proposals)

    found = compiled(answer)(logits, deltas, proposals)
    return {name: ops.convert_to_numpy(value) for name, value in found.items()}


def box_of(deltas, proposal):
    sides = proposal[2:] - proposal[:2]
    centre = (proposal[2:] + proposal[:2]) / 2 + 0.1 * deltas[:2] * sides
    half = np.exp(0.2 * deltas[2:]) * sides / 2
    return np.clip(np.concatenate([centre - half, centre + half]), 0, 1)


def iou(a, b):
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return sides.prod() / (sum(areas) - sides.prod())


def by_loops(logits, deltas, proposals):
    scores = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    found = []
    for label in range(deltas.shape[1]):
        kept = []
        for row in np.argsort(-scores[:, label + 1]):
            box = box_of(deltas[row, label], proposals[row])
            real = (proposals[row, 2:] > proposals[row, :2]).all()
            if real and scores[row, label + 1] >= 0.2 and all(iou(box, k) <= 0.4 for k in kept):
                kept.append(box)
                found.append((scores[row, label + 1], label, box))
    return sorted(found, key=lambda one: -one[0])


def test_detections_are_those_of_loops():
    arrays = batch()
    decoder = RoIDecoder(BoxCoder(), score_threshold=0.2, iou_threshold=0.4, max_detections=60)
    found = decode(decoder, *arrays)
    for row in range(2):
        wanted = by_loops(*(np.float64(values[row]) for values in arrays))
        assert found["num"][row] == len(wanted) > 5
        for index, (score, label, box) in enumerate(wanted):
            assert found["labels"][row, index] == label
            np.testing.assert_allclose(found["scores"][row, index], score, atol=1e-5)
            np.testing.assert_allclose(found["boxes"][row, index], box, atol=1e-5)
        assert (found["labels"][row, len(wanted) :] == -1).all()
        assert (found["boxes"][row, len(wanted) :] == 0).all()


def test_of_equal_scores_the_first_region_is_kept():
    boxes = np.float32([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.52, 0.5], [0.1, 0.1, 0.5, 0.53]])
    scores, deltas = np.full((1, 3, 2), 0.5, "float32"), np.zeros((1, 3, 2, 4), "float32")
    found = compiled(RoIDecoder(BoxCoder(), iou_threshold=0.5))(scores, deltas, boxes[None])
    kept = ops.convert_to_numpy(found["boxes"])[0, :2]
    np.testing.assert_allclose(kept, boxes[[0, 0]], atol=1e-6)


def test_padded_proposals_give_no_detection():
    logits, deltas, proposals = batch()
    found = decode(RoIDecoder(BoxCoder(), score_threshold=0.0), logits, deltas, proposals * 0)
    assert (found["num"] == 0).all()


def test_it_survives_serialisation():
    piece = RoIDecoder(BoxCoder((1, 2, 3, 4)), pre_nms=7)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(piece))
    assert keras.saving.serialize_keras_object(twin) == keras.saving.serialize_keras_object(piece)
