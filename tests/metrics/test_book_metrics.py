"""The book's class error and box MAE (13.7), by hand, by its formulas, and inside compute_loss."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.metrics import BoxMAE, ClassError


def random_batch(seed, pictures):
    rng = np.random.default_rng(seed)
    class_targets = rng.integers(0, 3, (pictures, 7)).astype("int32")
    class_logits = rng.normal(size=(pictures, 7, 3)).astype("float32")
    box_targets, box_deltas = rng.normal(size=(2, pictures, 7, 4)).astype("float32")
    return class_targets, class_logits, box_targets, box_deltas, class_targets > 0


def test_class_error_is_the_share_of_wrong_anchors():
    metric = ClassError()
    logits = [[[5.0, 0.0], [0.0, 5.0], [0.0, 5.0], [5.0, 0.0]]]
    metric.update_state(np.array([[0, 1, 0, 0]], "int32"), np.array(logits, "float32"))
    assert float(metric.result()) == 0.25


def test_box_mae_divides_by_all_entries_not_by_the_matched():
    metric = BoxMAE()
    targets = np.ones((1, 2, 4), "float32")
    # One anchor of two is matched, each of its four deltas is off by 3: 12 / (1 * 2 * 4).
    metric.update_state(targets, targets + 3, np.array([[True, False]]))
    assert float(metric.result()) == 1.5


def test_an_epoch_has_the_books_figures():
    class_error, box_mae = ClassError(), BoxMAE()
    correct = anchors = error = entries = 0.0
    for seed, pictures in enumerate([4, 4, 1]):
        class_targets, class_logits, box_targets, box_deltas, mask = random_batch(seed, pictures)
        class_error.update_state(class_targets, class_logits)
        box_mae.update_state(box_targets, box_deltas, mask)
        # cls_eval and bbox_eval of 13.7, summed as its training loop sums them
        correct += (class_logits.argmax(-1) == class_targets).sum()
        anchors += class_targets.size
        error += np.abs((box_targets - box_deltas) * mask[..., None]).sum()
        entries += box_targets.size
    assert float(class_error.result()) == pytest.approx(1 - correct / anchors, abs=1e-6)
    assert float(box_mae.result()) == pytest.approx(error / entries, rel=1e-6)


def test_the_trivial_detector_scores_the_share_of_matched_anchors():
    metric = ClassError()
    targets = np.zeros((1, 100), "int32")
    targets[0, :3] = 1
    background = np.tile(np.array([1.0, 0.0], "float32"), (1, 100, 1))
    metric.update_state(targets, background)
    assert float(metric.result()) == pytest.approx(0.03, abs=1e-7)


@pytest.mark.parametrize("metric", [ClassError(name="a"), BoxMAE(name="b")])
def test_metrics_survive_serialisation(metric):
    config = keras.saving.serialize_keras_object(metric)
    twin = keras.saving.deserialize_keras_object(config)
    assert type(twin) is type(metric)
    assert twin.name == metric.name
    assert config["registered_name"].startswith("zoo>")


def test_bfloat16_outputs_are_measured_in_float32():
    _, _, box_targets, box_deltas, mask = random_batch(3, 2)
    metric = BoxMAE()
    metric.update_state(box_targets, ops.cast(box_deltas, "bfloat16"), mask)
    expected = np.abs((box_targets - box_deltas) * mask[..., None]).mean()
    # bfloat16 keeps 8 bits of each delta; the sum over the entries adds no error of its own.
    assert float(metric.result()) == pytest.approx(expected, rel=1e-2)
    assert metric.result().dtype == ops.convert_to_tensor(np.float32(0)).dtype


@keras.saving.register_keras_serializable(package="zoo_tests")
class TwoHeads(keras.Model):
    """A model that updates both metrics in compute_loss, as the detectors do."""

    def __init__(self):
        super().__init__()
        self.classes = keras.layers.Dense(3)
        self.deltas = keras.layers.Dense(4)
        self.class_error, self.box_mae = ClassError(), BoxMAE()

    def call(self, features):
        return {"classes": self.classes(features), "deltas": self.deltas(features)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        self.class_error.update_state(y["labels"], y_pred["classes"])
        self.box_mae.update_state(y["boxes"], y_pred["deltas"], y["labels"] > 0)
        return ops.mean(ops.square(y_pred["deltas"])) + ops.mean(ops.square(y_pred["classes"]))


def test_metrics_run_inside_compute_loss_under_fit():
    keras.utils.set_random_seed(0)
    class_targets, _, box_targets, _, mask = random_batch(0, 6)
    features = np.random.default_rng(1).normal(size=(6, 7, 5)).astype("float32")
    model = TwoHeads()
    model.compile(optimizer=keras.optimizers.SGD(0.0))  # the weights stay, so the figures are known
    history = model.fit(
        features, {"labels": class_targets, "boxes": box_targets}, batch_size=3, verbose=0
    ).history
    outputs = {name: ops.convert_to_numpy(value) for name, value in model(features).items()}
    wrong = (outputs["classes"].argmax(-1) != class_targets).mean()
    error = np.abs((box_targets - outputs["deltas"]) * mask[..., None]).mean()
    assert history["class_error"] == pytest.approx([wrong], abs=1e-6)
    assert history["box_mae"] == pytest.approx([error], rel=1e-5)


def test_every_epoch_starts_from_zero():
    metric = ClassError()
    metric.update_state(np.array([[1]], "int32"), np.array([[[1.0, 0.0]]], "float32"))
    metric.reset_state()
    metric.update_state(np.array([[0]], "int32"), np.array([[[1.0, 0.0]]], "float32"))
    assert float(metric.result()) == 0.0
