"""A study outlives its process: what is finished stays, what was under way is taken up again."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from flows.config import load_config
from flows.study import Study
from flows.sweep_config import Asha, LogRange, Median, Random, Sweep

pytestmark = pytest.mark.any_backend
BASE = load_config(Path(__file__).parents[2] / "configs" / "smoke.yaml")
KEY = "train.optimizer.learning_rate"


def sweep(**changes):
    values = {
        "name": "s",
        "base": BASE,
        "space": {KEY: LogRange(kind="log", low=1e-4, high=1.0)},
        "metric": "ap50",
        "trials": 4,
        "sampler": Random(name="random", seed=3),
        "pruner": Median(name="median", startup_trials=2),
    }
    return Sweep(**values | changes)


@pytest.fixture
def reopen(tmp_path):
    return lambda **changes: Study(sweep(**changes), tmp_path / "study.db")


def test_a_trial_left_behind_keeps_its_number_its_parameters_and_its_figures(reopen):
    first = reopen()
    first.complete(first.ask(), 0.5)
    left = first.ask()
    first.report(left, 1, 0.25)
    study = reopen()
    assert [trial.value for trial in study.finished()] == [0.5]
    (trial,) = study.interrupted()
    assert (trial.number, trial.params) == (1, left.params)
    study.report(trial, 1, 0.9)  # read from the journal again: what was noted stays
    study.prune(trial)
    assert study.trials()[1].intermediate_values == {1: 0.25}
    assert reopen().interrupted() == []
    assert [trial.state for trial in reopen().finished()] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
    ]


def test_a_study_that_goes_on_draws_other_numbers_and_the_same_ones_anew(tmp_path):
    def rates(file, interruptions):
        study, found = Study(sweep(), file), []
        for number in range(4):
            if number in interruptions:
                study = Study(sweep(), file)
            trial = study.ask()
            found.append(trial.params[KEY])
            study.complete(trial, 0.0)
        return found

    straight = rates(tmp_path / "a.db", ())
    assert len(set(straight)) == 4
    assert rates(tmp_path / "b.db", (1, 3)) == straight


@pytest.mark.parametrize(
    "pruner", [Median(name="median", startup_trials=2), Asha(name="asha", reduction=2)]
)
def test_the_hopeless_are_stopped_and_the_best_is_not(reopen, pruner):
    study = reopen(pruner=pruner)
    for value in (0.5, 0.6):
        trial = study.ask()
        study.report(trial, 1, value)
        study.complete(trial, value)
    assert study.report(study.ask(), 1, 0.1)
    assert not study.report(study.ask(), 1, 0.9)


def test_nothing_is_stopped_in_the_epochs_of_warming_up(reopen):
    study = reopen(pruner=Median(name="median", startup_trials=1, warmup_epochs=2))
    trial = study.ask()
    for epoch in (1, 2, 3):
        study.report(trial, epoch, 0.5)
    study.complete(trial, 0.5)
    hopeless = study.ask()
    assert [study.report(hopeless, epoch, 0.1) for epoch in (1, 2, 3)] == [False, False, True]


def test_the_best_is_the_best_of_those_that_came_to_their_end(reopen):
    study = reopen()
    assert study.best() is None
    for value in (0.5, 0.7):
        study.complete(study.ask(), value)
    pruned, failed = study.ask(), study.ask()
    study.report(pruned, 1, 0.9)
    study.prune(pruned)
    study.fail(failed, "it was unwell")
    assert study.best().value == 0.7
    assert [trial.number for trial in study.finished()] == [0, 1, 2]
    assert study.trials()[3].user_attrs == {"reason": "it was unwell"}
