"""A training ends when its answers no longer become better, wherever it was interrupted before."""

import keras
import numpy as np
import pytest
from stops import StopAfter, StoppedError
from training.test_resume import BATCH, STEPS, fresh_task, stream

from zoo import training

EPOCHS = 3  # of `stream`


class Scores(keras.callbacks.Callback):
    """Stands where the evaluation does: an epoch's score, and the weights it was given for."""

    def __init__(self, scores):
        super().__init__()
        self.scores, self.weights = scores, {}

    def on_epoch_end(self, epoch, logs=None):
        if self.scores[epoch] is not None:
            logs["val/ap50"] = self.scores[epoch]
        self.weights[epoch + 1] = self.model.get_weights()


def train(folder, scores, *extra, patience=1, min_delta=0.0):
    """Return the task, what was reported, the stopping, the scores and the steps done."""
    events, task, told = [], fresh_task(), Scores(scores)

    def report(kind, **fields):
        events.append((kind, fields))

    def stopping():
        return training.EarlyStopping(
            folder,
            metric="ap50",
            patience=patience,
            min_delta=min_delta,
            steps_per_epoch=STEPS,
            report=report,
        )

    early = stopping()
    try:
        done = training.fit(
            task,
            stream,
            steps_per_epoch=STEPS,
            epochs=EPOCHS,
            checkpoint=folder / "state.npz",
            checkpoint_steps=2,
            callbacks=lambda start: [told, *extra],
            report=report,
            stopping=early,
        )
    except StoppedError:
        done = None
    return task, dict(events), early, told, done


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize(
    ("scores", "options", "epochs", "best"),
    [
        ([0.1, 0.2, 0.3], {}, 3, 3),
        ([0.5, 0.4, 0.9], {}, 2, 1),
        ([0.5, 0.5, 0.9], {}, 2, 1),  # as good is not better
        ([0.5, 0.4, 0.9], {"patience": 2}, 3, 3),
        ([0.5, 0.55, 0.9], {"min_delta": 0.1}, 2, 1),
        ([0.5, None, 0.9], {}, 3, 3),  # an epoch without evaluation counts for nothing
    ],
    ids=str,
)
def test_it_stops_after_so_many_that_were_not_the_best(scores, options, epochs, best, tmp_path):
    task, events, early, told, done = train(tmp_path, scores, **options)
    assert done == epochs * STEPS
    assert early.best_step == best * STEPS
    early.restore_best(task)
    assert same(task.get_weights(), told.weights[best])
    assert ("stopped" in events) == early.is_over()
    if early.is_over():
        assert events["stopped"] == {
            "step": done,
            "epoch": epochs,
            "best_step": best * STEPS,
            "best": 0.5,
            "metric": "ap50",
        }


@pytest.mark.parametrize("batches", [STEPS + 1, 2 * STEPS], ids=str)  # in the second epoch
def test_an_interrupted_training_stops_where_another_does(batches, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    straight, *_ = train(whole, [0.5, 0.4, 0.9])
    *_, done = train(parts, [0.5, 0.4, 0.9], StopAfter(batches))
    assert done is None
    resumed, _, early, _, done = train(parts, [None, 0.4, 0.9])  # the first is remembered
    assert done == 2 * STEPS
    assert early.best_step == STEPS
    assert same(resumed.get_weights(), straight.get_weights())
    for task in (straight, resumed):
        early.restore_best(task)
    assert same(resumed.get_weights(), straight.get_weights())


def test_what_is_over_is_not_trained_on(tmp_path):
    train(tmp_path, [0.5, 0.4, 0.9])
    task, _, _, told, done = train(tmp_path, [0.5, 0.4, 0.9])
    assert done == 2 * STEPS == int(task.optimizer.iterations)
    assert told.weights == {}


def test_a_figure_that_is_not_measured_is_refused(tmp_path):
    early = training.EarlyStopping(
        tmp_path, metric="miou", patience=1, steps_per_epoch=BATCH, report=print
    )
    with pytest.raises(ValueError, match=r"goes by miou, .* choose one of ap, ap50"):
        early.on_epoch_end(0, {"loss": 1.0, "val/ap50": 0.1, "val/ap": 0.0})
