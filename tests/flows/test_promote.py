"""The gate: promoted when every condition holds; otherwise the ones that failed are named."""

import pytest

from flows.config_sections import Gate
from flows.promote import decide

pytestmark = pytest.mark.any_backend

GATE = Gate(metric="ap50", at_least=0.8, beat_champion_by=0.01, confidence=0.95)


def test_without_a_champion_the_threshold_decides():
    assert decide({"ap50": 0.8}, None, GATE).promote
    decision = decide({"ap50": 0.7999}, None, GATE)
    assert not decision.promote
    assert decision.reasons == ["ap50 0.7999 is not at least 0.8"]


def test_the_champion_must_be_beaten_by_the_margin_and_with_confidence():
    assert decide({"ap50": 0.92}, {"ap50": 0.90}, GATE, confidence=0.99).promote
    decision = decide({"ap50": 0.905}, {"ap50": 0.90}, GATE, confidence=0.7)
    assert not decision.promote
    assert decision.reasons == [
        "+0.0050 on the champion is not +0.01 or more",
        "confidence 0.700 that it is better is not 0.95 or more",
    ]


def test_the_same_model_again_does_not_replace_the_champion():
    gate = Gate(metric="ap", beat_champion_by=0.0)
    assert not decide({"ap": 0.5}, {"ap": 0.5}, gate, confidence=0.5).promote


def test_a_margin_below_zero_allows_a_slightly_worse_candidate():
    gate = Gate(metric="ap", beat_champion_by=-0.05, confidence=0.0)
    assert decide({"ap": 0.46}, {"ap": 0.5}, gate, confidence=0.1).promote


def test_a_confidence_that_was_not_measured_counts_as_none():
    assert not decide({"ap50": 1.0}, {"ap50": 0.0}, GATE, confidence=None).promote


@pytest.mark.parametrize("value", [float("nan"), -1.0])
def test_a_metric_that_does_not_exist_is_not_promoted(value):
    assert not decide({"ap50": value}, None, Gate(metric="ap50", at_least=0.0)).promote


def test_without_a_gate_nothing_is_promoted():
    decision = decide({"ap50": 1.0}, None, None)
    assert (decision.promote, decision.reasons) == (False, ["the config has no gate"])


def test_a_promotion_tells_what_was_met():
    assert decide({"ap50": 0.9}, None, GATE).reasons == ["ap50 0.9000 is at least 0.8"]


def classes(**values):
    return {"ap50": 0.9, "ap_per_class": values}


CAREFUL = Gate(metric="ap50", confidence=0.0, no_class_worse_by=0.05)


def test_no_class_may_lose_more_than_is_allowed():
    before = classes(cat=0.8, dog=0.6)
    assert decide(classes(cat=0.75, dog=0.9), before, CAREFUL).promote
    decision = decide(classes(cat=0.74, dog=0.9), before, CAREFUL)
    assert decision.reasons == ["ap of cat, -0.0600, is not worse by 0.05 at most"]


def test_a_class_that_is_gone_has_lost_all_of_its_figure():
    assert not decide(classes(dog=0.9), classes(cat=0.8, dog=0.6), CAREFUL).promote


def test_a_class_of_which_the_champion_has_no_figure_loses_nothing():
    assert decide(classes(cat=0.0, dog=0.6), classes(cat=-1.0, dog=0.6), CAREFUL).promote


def test_without_figures_a_class_the_condition_is_not_met():
    assert not decide({"ap50": 0.9}, {"ap50": 0.9}, CAREFUL).promote


@pytest.mark.parametrize(
    ("metric", "figures"),
    [
        ("mask_ap", "mask_ap_per_class"),
        ("ar_10", "ap_per_class"),
        ("top1", "accuracy_per_class"),
        ("miou", "iou_per_class"),
        ("pixel_accuracy", "iou_per_class"),
    ],
)
def test_each_metric_has_its_figures_a_class(metric, figures):
    gate = Gate(metric=metric, confidence=0.0, no_class_worse_by=0.05)
    decision = decide(
        {metric: 0.9, figures: {"cat": 0.1}}, {metric: 0.9, figures: {"cat": 0.9}}, gate
    )
    assert not decision.promote


def test_a_decision_shows_its_table():
    checks = decide({"ap50": 0.92}, {"ap50": 0.90}, GATE, confidence=0.7).checks
    assert [(c.condition, c.champion, c.challenger, c.wanted, c.met) for c in checks] == [
        ("ap50", "0.9000", "0.9200", "at least 0.8", True),
        ("ap50 ahead", "", "+0.0200", "+0.01 or more", True),
        ("confidence that it is better", "", "0.700", "0.95 or more", False),
    ]
