"""Painted pictures are scored by the loss network, beside pictures left as they are."""

from types import SimpleNamespace

import numpy as np
import pytest

import zoo
from zoo.answers import answers_of
from zoo.answers.style import StyleScores

RANDOM = np.random.default_rng(0)
STYLE = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
PICTURES = RANDOM.integers(0, 256, (2, 24, 32, 3), np.uint8)
LOSSES = ("content_loss", "style_loss", "variation_loss")


class Judge:
    """Gives losses in turn, of the painted picture and of the untouched one."""

    def __init__(self, *losses):
        self.losses = iter(losses)

    def compare(self, picture, painted):
        painted, untouched = next(self.losses)
        return [dict(zip(LOSSES, losses, strict=True)) for losses in (painted, untouched)]


def sheet(*losses):
    scores = StyleScores(Judge(*losses))
    for _ in losses:
        scores.add(None, None)
    return scores


@pytest.fixture(scope="module")
def task():
    layers = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1"]}
    options = {"style": STYLE, "image_size": (16, 24), "style_size": 16, "filters": 4}
    return zoo.create("fast_style", residual_blocks=1, **options, **layers)


@pytest.mark.any_backend
def test_the_gain_is_the_part_of_the_loss_that_painting_takes_away():
    scores = sheet(((1, 1, 1), (0, 7, 1)), ((0, 2, 1), (0, 11, 1)))
    assert scores.metrics() == pytest.approx(
        # 1 - (3 + 3) / (8 + 12); means of 1 and 0, 1 and 2, 1 and 1
        {"style_gain": 0.7, "loss": 3.0, "content_loss": 0.5, "style_loss": 1.5,
         "variation_loss": 1.0}
    )  # fmt: skip
    assert scores.trivial() == pytest.approx(
        {"style_gain": 0.0, "loss": 10.0, "content_loss": 0.0, "style_loss": 9.0,
         "variation_loss": 1.0}
    )  # fmt: skip


@pytest.mark.any_backend
def test_painting_that_makes_it_worse_gains_nothing():
    assert sheet(((5, 9, 1), (0, 7, 1))).metrics()["style_gain"] == 0.0


@pytest.mark.any_backend
@pytest.mark.parametrize("metric", ["style_gain", "loss", "content_loss"])
def test_the_network_that_loses_less_wins_the_draws(metric):
    good = sheet(((1, 1, 1), (0, 7, 1)), ((1, 2, 1), (0, 11, 1)))
    bad = sheet(((3, 3, 1), (0, 7, 1)), ((2, 3, 1), (0, 11, 1)))
    assert good.confidence(bad, metric) == 1.0
    assert bad.confidence(good, metric) == 0.0
    assert good.confidence(good, metric) == 0.5
    with pytest.raises(ValueError, match="metric must be one of style_gain, loss"):
        good.confidence(bad, "ap50")


def test_pictures_are_scored_at_the_networks_size_and_drawn_beside(task):
    records = [{"image": PICTURES[0], "image_id": b"one"}]
    source = SimpleNamespace(
        records=lambda split, limit: SimpleNamespace(as_numpy_iterator=lambda: iter(records))
    )
    answers = answers_of(task)
    ((image_id, picture, truth),) = answers.truths(source, "val")
    assert (image_id, picture.shape) == ("one", (16, 24, 3))
    (painted,) = answers.ask(task, [picture])
    scores = answers.scores(("never", "minded"))
    scores.add(truth, answers.renamed(painted, [], ("never", "minded")))
    assert scores.metrics().keys() == scores.trivial().keys()
    assert scores.trivial()["content_loss"] == 0
    assert answers.draw(picture, painted).shape == (16, 24, 3)
    beside = answers.draw(picture, painted, truth)
    np.testing.assert_array_equal(beside[:, :24], picture)
    assert beside.shape == (16, 48, 3)
    assert answers.told(painted) == "painted, 24x16"


def test_a_network_without_a_style_cannot_be_scored():
    answers = answers_of(zoo.create("fast_style", filters=4, residual_blocks=1))
    with pytest.raises(ValueError, match="holds no style to learn"):
        answers.scores(())


def test_an_optimisation_has_nothing_to_score():
    layers = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1"]}
    with pytest.raises(ValueError, match="a StyleTransfer has no answers to score; `zoo stylize`"):
        answers_of(zoo.create("style_transfer", **layers))
