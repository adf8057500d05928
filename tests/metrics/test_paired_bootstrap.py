"""The bootstrap's weighted scores against pycocotools, and what the confidence must do."""

import contextlib
import io

import numpy as np
import pytest

from zoo.metrics import COCO_METRICS, detection_metrics, paired_bootstrap
from zoo.metrics.bootstrap import class_curves, weighted_score
from zoo.metrics.coco import match_pictures
from zoo.results import Detections

pytestmark = pytest.mark.any_backend


def random_split(seed, *, noise, pictures=20, scores_seed=0):
    """Return ground truth of two classes; predictions are off by `noise` pixels, or false."""
    rng, score_rng = np.random.default_rng(seed), np.random.default_rng(scores_seed)
    truth, answers = [], []
    for _ in range(pictures):
        count = rng.integers(0, 4)
        corners, sides = rng.uniform(0, 300, (count, 2)), rng.uniform(10, 150, (count, 2))
        boxes = np.concatenate([corners, corners + sides], axis=1)
        labels = rng.integers(0, 2, count)
        truth.append(Detections.ground_truth(boxes, labels, crowd=rng.random(count) < 0.1))
        wrong = rng.uniform(0, 300, (15, 2))
        found = np.concatenate(
            [boxes + noise * rng.normal(size=boxes.shape), np.concatenate([wrong, wrong + 40], 1)]
        )
        answers.append(
            Detections(
                boxes=found,
                scores=score_rng.random(len(found)),
                labels=np.concatenate([labels, rng.integers(0, 2, 15)]),
            )
        )
    return truth, answers


@pytest.mark.parametrize("metric", COCO_METRICS)
def test_counting_every_picture_once_gives_the_metric_itself(metric):
    truth, answers = random_split(1, noise=5)
    curves = class_curves(match_pictures(truth, answers, num_classes=2), metric)
    score = weighted_score(curves, np.ones(len(truth), int), metric)
    # 1e-12: the sums run in another order.
    assert score == pytest.approx(detection_metrics(truth, answers)[metric], abs=1e-12)


@pytest.mark.parametrize("metric", ["ap", "ap50", "ar_10"])
def test_weights_equal_pycocotools_on_the_pictures_drawn(metric):
    truth, answers = random_split(2, noise=5)
    draw = np.random.default_rng(3).integers(0, len(truth), len(truth))
    curves = class_curves(match_pictures(truth, answers, num_classes=2), metric)
    weights = np.bincount(draw, minlength=len(truth))
    assert weighted_score(curves, weights, metric) == pytest.approx(
        accumulate(match_pictures(truth, answers, num_classes=2), draw)[metric], abs=1e-12
    )


def accumulate(evaluator, draw):
    """Let pycocotools accumulate over the drawn pictures' matches."""
    count = len(evaluator.params.imgIds)
    evaluator.evalImgs = [
        evaluator.evalImgs[start + index]
        for start in range(0, len(evaluator.evalImgs), count)
        for index in draw
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.accumulate()
        evaluator.summarize()
    return dict(zip(COCO_METRICS, evaluator.stats, strict=True))


def test_a_detector_that_wins_on_every_picture_has_confidence_one():
    truth, answers = random_split(4, noise=60)
    assert paired_bootstrap(truth, truth, answers, resamples=50) == 1.0


def test_a_detector_against_itself_has_confidence_one_half():
    truth, answers = random_split(4, noise=5)
    assert paired_bootstrap(truth, answers, answers, resamples=50) == 0.5


def test_exchanging_the_rivals_gives_the_complement():
    truth, one = random_split(5, noise=4)
    _, other = random_split(5, noise=4, scores_seed=1)
    there = paired_bootstrap(truth, one, other, metric="ap", resamples=50)
    back = paired_bootstrap(truth, other, one, metric="ap", resamples=50)
    assert there + back == 1.0
    assert 0.0 < there < 1.0


def test_the_seed_alone_decides_the_draws():
    truth, one = random_split(5, noise=4)
    _, other = random_split(5, noise=4, scores_seed=1)
    first = paired_bootstrap(truth, one, other, resamples=40, seed=7)
    assert paired_bootstrap(truth, one, other, resamples=40, seed=7) == first


def test_a_win_on_one_picture_of_many_is_no_certainty():
    # The draw misses that one picture with probability (1 - 1/10)^10 = .35; a tie counts half.
    truth = [Detections.ground_truth([(0, 0, 50, 50)], [0])] * 10
    champion = [*truth[:9], Detections.empty()]
    confidence = paired_bootstrap(truth, truth, champion, resamples=4000)
    expected = 1 - 0.5 * 0.9**10
    # 4 standard deviations: sqrt(.35 * .65 / 4000) / 2 = .0038
    assert confidence == pytest.approx(expected, abs=0.016)


def test_a_metric_it_does_not_know_is_refused():
    with pytest.raises(ValueError, match="metric must be one of ap, ap50"):
        paired_bootstrap(
            [Detections.empty()], [Detections.empty()], [Detections.empty()], metric="f1"
        )


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        paired_bootstrap([], [], [])
