"""What the second stage learns from: a balanced sample that the ground truth joins."""

import keras
import numpy as np
from cases import compiled
from keras import ops

from zoo.layers import BoxCoder, Matcher, RegionSampler

OBJECT = [0.1, 0.1, 0.5, 0.5]
NEAR = [0.12, 0.1, 0.52, 0.5]  # IoU .36 / .40 = .90 with the object
FAR = [0.6, 0.6, 0.9, 0.9]
NOTHING = [0.0, 0.0, 0.0, 0.0]


def sampler(**options):
    return RegionSampler(Matcher(0.5, bipartite=False), BoxCoder(), **options)


def sample(piece, proposals, boxes, labels, seed=0):
    call = compiled(lambda *arrays: piece(*arrays, seed))
    arrays = (np.array(proposals, "float32"), np.array(boxes, "float32"), np.array(labels, "int32"))
    return {name: ops.convert_to_numpy(value) for name, value in call(*arrays).items()}


def test_the_ground_truth_joins_the_proposals():
    found = sample(sampler(num_samples=4), [[FAR, NOTHING]], [[OBJECT, NOTHING]], [[2, -1]])
    # The object itself, the far proposal, and two rows of padding; positives first.
    assert found["sampled"].tolist() == [[True, True, False, False]]
    assert found["positives"].tolist() == [[True, False, False, False]]
    np.testing.assert_allclose(found["rois"][0, :2], [OBJECT, FAR], atol=1e-6)
    assert found["classes"].tolist() == [[3, 0, 0, 0]]
    np.testing.assert_allclose(found["deltas"], 0, atol=1e-5)


def test_a_region_learns_the_way_to_its_box():
    found = sample(
        sampler(num_samples=4, positive_fraction=1.0), [[NEAR, FAR]], [[FAR, OBJECT]], [[0, 1]]
    )
    (row,) = np.flatnonzero((np.abs(found["rois"][0] - NEAR) < 1e-6).all(-1))
    assert found["rows"][0, row] == 1
    assert found["classes"][0, row] == 2
    # The object lies .02 of .40 wide to the left: -.05 / .1.
    np.testing.assert_allclose(found["deltas"][0, row], [-0.5, 0, 0, 0], atol=1e-4)


def test_positives_take_their_share_at_most_and_stand_first():
    rng = np.random.default_rng(0)
    near = NEAR + rng.normal(0, 0.002, (20, 4))
    far = FAR + rng.normal(0, 0.002, (20, 4))
    proposals = rng.permutation(np.concatenate([near, far]))[None]
    piece = sampler(num_samples=16, positive_fraction=0.25)
    found = sample(piece, proposals, [[OBJECT]], [[0]])
    assert piece.max_positives == 4
    assert found["positives"][0].tolist() == [True] * 4 + [False] * 12
    assert found["sampled"].all()


def test_a_picture_without_objects_gives_background_only():
    found = sample(sampler(num_samples=3), [[FAR, NEAR]], [[NOTHING]], [[-1]])
    assert found["sampled"].tolist() == [[True, True, False]]
    assert not found["positives"].any()
    assert not found["classes"].any()
    assert np.isfinite(found["deltas"]).all()


def test_padding_of_any_coordinates_is_never_sampled():
    found = sample(sampler(num_samples=4), [[NOTHING, FAR]], [[OBJECT, FAR]], [[0, -1]])
    assert found["sampled"].sum() == 2
    assert found["positives"].sum() == 1


def test_a_generator_draws_anew_and_a_number_again():
    rng = np.random.default_rng(1)
    proposals = FAR + rng.normal(0, 0.01, (1, 50, 4))
    piece, labels = sampler(num_samples=5), ([[OBJECT]], [[-1]])
    first, again = (sample(piece, proposals, *labels, seed=3)["rois"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    generator = keras.random.SeedGenerator(3)
    first, other = (
        ops.convert_to_numpy(
            piece(proposals.astype("float32"), np.array(labels[0], "float32"),
                  np.array(labels[1], "int32"), generator)["rois"]
        )
        for _ in range(2)
    )  # fmt: skip
    assert np.abs(first - other).max() > 0


def test_it_survives_serialisation():
    piece = sampler(num_samples=5, positive_fraction=0.5)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(piece))
    assert keras.saving.serialize_keras_object(twin) == keras.saving.serialize_keras_object(piece)
