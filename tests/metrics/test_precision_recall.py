"""A classifier's curves, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from zoo.metrics import class_curves
from zoo.results import Classification

pytestmark = pytest.mark.any_backend

NAMES = ("cat", "dog", "fox", "gnu")


def test_precision_at_a_recall_is_the_best_that_scikit_learn_finds_from_there():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    rounded = np.round(rng.dirichlet(np.ones(4), 90) + 0.3 * np.eye(4)[labels], 1)  # with ties
    answers = [Classification(row, NAMES) for row in rounded]
    curves = class_curves(labels, answers, NAMES)
    assert [(curve.name, curve.count) for curve in curves] == [
        (name, (labels == label).sum()) for label, name in enumerate(NAMES[:3])
    ]
    for label, curve in enumerate(curves):
        precision, recall, _ = precision_recall_curve(labels == label, rounded[:, label])
        wanted = [precision[:-1][recall[:-1] >= at - 1e-12].max() for at in np.arange(101) / 100]
        assert curve.precision == pytest.approx(wanted)
        assert curve.ap == pytest.approx(curve.precision.mean())


def test_a_class_that_is_told_apart_has_the_whole_area():
    answers = [Classification([one, 1 - one], NAMES[:2]) for one in (0.9, 0.8, 0.1)]
    areas = [curve.ap for curve in class_curves([0, 0, 1], answers, NAMES[:2])]
    assert areas == pytest.approx([1.0, 1.0])
