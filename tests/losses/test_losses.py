"""Both losses against loops over pictures and anchors in float64."""

import keras
import numpy as np
import pytest
from cases import compiled
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.layers import BoxCoder, LabelEncoder, Matcher
from zoo.losses import AnchorMeanLoss, MultiBoxLoss

LOSSES = {
    "anchor_mean": AnchorMeanLoss(),
    "multibox": MultiBoxLoss(3.0, minimum_negatives=4),
}
COMPILED = {name: compiled(loss) for name, loss in LOSSES.items()}
ENCODE = compiled(LabelEncoder(Matcher(0.5), BoxCoder()))


def batch(seed, pictures=3, anchors=40, classes=2, positives=4):
    rng = np.random.default_rng(seed)
    is_positive = rng.permuted(np.tile(np.arange(anchors) < positives, (pictures, 1)), axis=1)
    classes_of = np.where(is_positive, rng.integers(1, classes + 1, is_positive.shape), 0)
    deltas = rng.normal(size=(pictures, anchors, 4)) * is_positive[..., None]
    targets = {
        "classes": classes_of.astype("int32"),
        "deltas": deltas.astype("float32"),
        "positives": is_positive,
        "negatives": ~is_positive,
    }
    outputs = {
        "class_logits": rng.normal(0, 2, (pictures, anchors, classes + 1)).astype("float32"),
        "box_deltas": rng.normal(size=(pictures, anchors, 4)).astype("float32"),
    }
    return targets, outputs


def scalars(loss, targets, outputs):
    tensors = (keras.tree.map_structure(ops.convert_to_tensor, d) for d in (targets, outputs))
    return {name: float(value) for name, value in loss(*tensors).items()}


def cross_entropies(targets, outputs):
    """(B, A), in float64."""
    logits = np.float64(outputs["class_logits"])
    highest = logits.max(-1, keepdims=True)
    log_sums = (highest + np.log(np.exp(logits - highest).sum(-1, keepdims=True)))[..., 0]
    return log_sums - np.take_along_axis(logits, targets["classes"][..., None], -1)[..., 0]


def test_the_book_loss_is_the_books_formula():
    targets, outputs = batch(0)
    # calc_loss (book 13.7.2): cross-entropy averaged over the anchors of a picture, plus the L1
    # of masked offsets averaged over 4 * A numbers; its training loop takes the mean over pictures.
    entropies = cross_entropies(targets, outputs)
    class_loss = box_loss = 0.0
    for row in range(3):
        mask = np.repeat(targets["positives"][row], 4)
        errors = (outputs["box_deltas"][row] - targets["deltas"][row]).reshape(-1) * mask
        class_loss += entropies[row].mean() / 3
        box_loss += np.abs(np.float64(errors)).mean() / 3
    got = scalars(AnchorMeanLoss(), targets, outputs)
    assert got["class_loss"] == pytest.approx(class_loss, rel=1e-5)
    assert got["box_loss"] == pytest.approx(box_loss, rel=1e-5)


def multibox_by_loop(targets, outputs, *, ratio, minimum, box_weight=1.0):
    entropies = cross_entropies(targets, outputs)
    logits = np.float64(outputs["class_logits"])
    hardness = np.log(np.exp(logits).sum(-1)) - logits[..., 0]
    class_loss = box_loss = 0.0
    for row in range(len(entropies)):
        positives = np.flatnonzero(targets["positives"][row])
        negatives = np.flatnonzero(targets["negatives"][row])
        wanted = max(int(ratio * len(positives)), minimum)
        hardest = sorted(negatives, key=lambda anchor: -hardness[row, anchor])[:wanted]
        divisor = max(len(positives), 1) * len(entropies)
        class_loss += sum(entropies[row, a] for a in [*positives, *hardest]) / divisor
        for anchor in positives:
            off = np.float64(outputs["box_deltas"][row, anchor] - targets["deltas"][row, anchor])
            box_loss += box_weight * np.abs(off).sum() / divisor
    return class_loss, box_loss


@pytest.mark.parametrize(
    ("ratio", "minimum", "box_weight", "positives"),
    [(3.0, 0, 1.0, 4), (3.0, 20, 1.0, 4), (2.0, 0, 0.5, 1), (3.0, 0, 1.0, 30), (3.0, 5, 1.0, 0)],
)
def test_the_multibox_loss_is_its_formula(ratio, minimum, box_weight, positives):
    targets, outputs = batch(1, positives=positives)
    loss = MultiBoxLoss(ratio, minimum, box_weight)
    expected = multibox_by_loop(
        targets, outputs, ratio=ratio, minimum=minimum, box_weight=box_weight
    )
    got = scalars(loss, targets, outputs)
    assert got["class_loss"] == pytest.approx(expected[0], rel=1e-5)
    assert got["box_loss"] == pytest.approx(expected[1], rel=1e-5, abs=1e-12)


def test_ignored_anchors_cost_nothing():
    targets, outputs = batch(2)
    loss = MultiBoxLoss(100.0)  # all negatives there are
    targets["negatives"][:, ::2] = False
    before = scalars(loss, targets, outputs)
    ignored = ~targets["negatives"] & ~targets["positives"]
    outputs["class_logits"][ignored] += 30.0 * np.array([0, 1, 0], "float32")
    assert scalars(loss, targets, outputs) == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_pictures_without_objects_give_a_finite_loss_of_background_only(name):
    targets, outputs = batch(3, positives=0)
    got = scalars(LOSSES[name], targets, outputs)
    assert got["box_loss"] == 0.0
    assert np.isfinite(got["class_loss"])
    assert got["class_loss"] > 0


def test_without_a_minimum_a_picture_without_objects_teaches_nothing():
    targets, outputs = batch(3, positives=0)
    assert scalars(MultiBoxLoss(), targets, outputs) == {"class_loss": 0.0, "box_loss": 0.0}


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_give_a_finite_loss(name):
    targets, outputs = batch(4)
    outputs["class_logits"] *= 1e4
    assert np.isfinite(list(scalars(LOSSES[name], targets, outputs).values())).all()


@pytest.mark.parametrize("name", LOSSES)
def test_perfect_predictions_cost_nothing(name):
    targets, outputs = batch(5)
    outputs["box_deltas"] = targets["deltas"]
    outputs["class_logits"] = 100.0 * np.eye(3, dtype="float32")[targets["classes"]]
    assert sum(scalars(LOSSES[name], targets, outputs).values()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), objects=st.integers(0, 3), filler=st.floats(-3, 3, width=32))
def test_padding_never_changes_a_loss(name, seed, objects, filler):
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(0.1, 0.5, (30 + objects, 2))
    corners = rng.uniform(0, 1 - sizes)
    rows = np.concatenate([corners, corners + sizes], axis=1).astype("float32")
    anchors, boxes = rows[:30], rows[30:]
    _, outputs = batch(seed, pictures=1, anchors=30)
    losses = []
    for room, value in ((3, 0.0), (7, filler)):
        padded, labels = np.full((1, room, 4), value, "float32"), np.full((1, room), -1, "int32")
        padded[0, :objects], labels[0, :objects] = boxes, 1
        losses.append(scalars(COMPILED[name], ENCODE(padded, labels, anchors), outputs))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_a_batch_is_the_mean_of_its_pictures(name):
    # What makes it right under replicas: equal shards average to the whole.
    targets, outputs = batch(6, pictures=4)
    whole = scalars(LOSSES[name], targets, outputs)
    singles = [
        scalars(
            LOSSES[name], *({k: v[i : i + 1] for k, v in d.items()} for d in (targets, outputs))
        )
        for i in range(4)
    ]
    for part in whole:
        assert whole[part] == pytest.approx(np.mean([s[part] for s in singles]), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_losses_survive_serialisation(loss):
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(twin) is type(loss)
    assert twin.get_config() == loss.get_config()
