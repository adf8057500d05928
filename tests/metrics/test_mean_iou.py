"""The metric of training against the confusion that NumPy counts."""

import keras
import numpy as np
import pytest

from zoo.metrics import confusion_matrix, metrics_of_confusion
from zoo.metrics.mean_iou import MeanIoU

NAMES = ("ground", "cat", "dog", "nothing")


def maps(seed):
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, 255], (2, 7, 9))
    return truth.astype("int32"), rng.integers(0, 3, (2, 7, 9)).astype("int32")


@pytest.mark.parametrize("batches", [1, 3])
def test_it_is_that_of_the_confusion_of_all_batches(batches):
    metric, total = MeanIoU(len(NAMES)), 0
    for seed in range(batches):
        truth, found = maps(seed)
        metric.update_state(keras.ops.convert_to_tensor(truth), found)
        total = total + sum(
            confusion_matrix(*pair, len(NAMES)) for pair in zip(truth, found, strict=True)
        )
    wanted = metrics_of_confusion(total, NAMES)["miou"]
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx(wanted, abs=1e-6)


def test_pixels_without_a_class_do_not_count():
    metric = MeanIoU(2)
    metric.update_state(np.int32([[[0, 1, 255, 255]]]), np.int32([[[0, 1, 1, 0]]]))
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx(1.0, abs=1e-6)


def test_it_survives_serialisation():
    metric = MeanIoU(3, ignore_class=9)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert twin.get_config() == metric.get_config()
