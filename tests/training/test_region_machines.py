"""Linear machines by mining and by sums equal those fitted to everything at once."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from zoo.training import region_machines
from zoo.training.region_machines import feature_scale, fit_offsets, fit_svms

pytestmark = pytest.mark.any_backend

SIZE = 8


def pieces_of(count=6, seed=0, classes=1):
    """Pieces whose hard negatives are few and come late: only the second feature tells them apart.

    Objects lie at (+, +), most background at (-, 0), the hard background at (+, -).
    """
    rng = np.random.default_rng(seed)
    pieces = []
    for number in range(count):
        hard = 12 if number >= count // 2 else 0
        kinds = [((4, 4), 10), ((-4, 0), 200), ((4, -4), hard)]
        places = [[*place] + [0] * (SIZE - 2) for place, many in kinds for _ in range(many)]
        features = (np.array(places) + rng.normal(0, 0.7, (len(places), SIZE))).astype("float32")
        objects = np.arange(len(features)) < 10
        overlaps = np.where(objects, 1.0, 0.7 * (rng.random(len(features)) < 0.1))
        pieces.append(
            {
                "features": features,
                "truths": np.where(objects, 0, -1),
                "overlaps": np.repeat(overlaps[:, None], classes, axis=1),
                "offsets": rng.normal(0, 1, (len(features), classes, 4)) + features[:, :1, None],
            }
        )
    return pieces


def background(pieces):
    return [piece["features"][piece["overlaps"][:, 0] < 0.3] for piece in pieces]


def objects(pieces):
    return np.concatenate([piece["features"][piece["truths"] == 0] for piece in pieces])


def test_mining_finds_the_machine_of_all_negatives_and_holds_few(monkeypatch):
    monkeypatch.setattr(region_machines, "FIRST_NEGATIVES", 50)
    held = []
    fit = region_machines._Machine.fit

    def watched(machine):
        held.append(len(machine.negatives))
        fit(machine)

    monkeypatch.setattr(region_machines._Machine, "fit", watched)
    pieces = pieces_of()
    kernel, bias = fit_svms(pieces, 1, c=0.1)
    negatives = np.concatenate(background(pieces))
    positives = objects(pieces)
    whole = LinearSVC(
        loss="hinge", C=0.1, class_weight={1: 2, -1: 1}, intercept_scaling=10, max_iter=100_000
    ).fit(
        np.concatenate([positives, negatives]),
        np.repeat([1, -1], [len(positives), len(negatives)]),
    )
    # The negatives beyond the margin, which were left out, pull at nothing. liblinear stops at a
    # tolerance of 1e-4 of its dual, and shuffles: the two agree to a hundredth.
    np.testing.assert_allclose(kernel[:, 0], whole.coef_[0], atol=0.01)
    np.testing.assert_allclose(bias[0], whole.intercept_[0], atol=0.02)
    assert kernel[1, 0] > 0.2, "what tells hard negatives apart was not found"
    assert max(held) < len(negatives) / 4


def test_the_scale_of_the_features_goes_into_the_kernel():
    pieces = pieces_of()
    scale = feature_scale(pieces)
    norms = np.concatenate([np.linalg.norm(piece["features"], axis=1) for piece in pieces])
    assert scale * norms.mean() == pytest.approx(20.0, rel=1e-5)
    scaled = [piece | {"features": piece["features"] * np.float32(scale)} for piece in pieces]
    for fit in (fit_svms, fit_offsets):
        kernel, bias = fit(pieces, 1, scale=scale)
        wanted, wanted_bias = fit(scaled, 1)
        np.testing.assert_allclose(kernel, wanted * scale, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(bias, wanted_bias, rtol=1e-3, atol=1e-5)


def test_a_class_without_objects_is_never_found():
    pieces = pieces_of(classes=2)
    kernel, bias = fit_svms(pieces, 2)
    assert (kernel[:, 1] == 0).all()
    assert 1 / (1 + np.exp(-bias[1])) < 1e-4
    assert (kernel[:, 0] != 0).any()


def test_offsets_are_those_of_ridge_regression_on_all_rows_at_once():
    pieces = pieces_of(classes=2)
    for piece in pieces:
        piece["overlaps"][::2, 1] = 0.0
    kernel, bias = fit_offsets(pieces, 2, ridge=30.0)
    for label in range(2):
        near = [piece["overlaps"][:, label] >= 0.6 for piece in pieces]
        rows = list(zip(pieces, near, strict=True))
        whole = Ridge(alpha=30.0).fit(
            np.concatenate([np.float64(piece["features"][some]) for piece, some in rows]),
            np.concatenate([piece["offsets"][some, label] for piece, some in rows]),
        )
        columns = slice(4 * label, 4 * label + 4)
        np.testing.assert_allclose(kernel[:, columns], whole.coef_.T, atol=1e-5)
        np.testing.assert_allclose(bias[columns], whole.intercept_, atol=1e-5)


def test_a_class_without_near_regions_moves_no_box():
    pieces = pieces_of()
    for piece in pieces:
        piece["overlaps"] = piece["overlaps"] * 0.5
    kernel, bias = fit_offsets(pieces, 1)
    assert (kernel == 0).all()
    assert (bias == 0).all()
