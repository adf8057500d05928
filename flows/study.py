"""A sweep's study: what was tried and what came of it, kept on the disk by Optuna.

One process writes it. A trial that a killed process left behind says RUNNING; it is taken up again
with its number and its parameters. Words as Optuna has them: *complete*, *pruned* and *failed* are
how a trial ends.
"""

import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, Trial, TrialState

from flows.sweep_config import Asha, Choice, FloatRange, IntRange, Median, Sweep, Tpe

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
optuna.logging.set_verbosity(optuna.logging.WARNING)


class Study:
    """The trials of a sweep.

    Args:
        sweep: what is varied, and how it is chosen.
        file: the database.
    """

    def __init__(self, sweep: Sweep, file: Path):
        self.sweep = sweep
        self._study = optuna.create_study(
            storage=f"sqlite:///{file}",
            study_name=sweep.name,
            load_if_exists=True,
            direction=sweep.direction,
            pruner=_pruner(sweep),
        )
        self._space = {key: _distribution(one) for key, one in sweep.space.items()}

    def ask(self) -> Trial:
        """Begin a trial; its `params` follow from the seed, its number and what is finished."""
        number = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = _sampler(self.sweep, number)
        return self._study.ask(self._space)

    def interrupted(self) -> list[Trial]:
        """Return the trials that a process left behind when it was killed."""
        left = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        whole = [trial for trial in left if set(trial.params) == set(self._space)]
        for trial in left:
            if trial not in whole:  # killed between its first parameter and its last
                self._study.tell(trial.number, state=TrialState.FAIL)
        # Optuna makes such objects in `ask` only; one made by hand goes on with the trial as well.
        return [Trial(self._study, trial._trial_id) for trial in whole]

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Note a figure, once, and return whether the trial is to be stopped."""
        with warnings.catch_warnings():  # of a figure that was noted before an interruption
            warnings.simplefilter("ignore", UserWarning)
            trial.report(value, epoch)
        return trial.should_prune()

    def complete(self, trial: Trial, value: float) -> None:
        """End a trial well."""
        self._study.tell(trial.number, value)

    def prune(self, trial: Trial) -> None:
        """End a trial that was stopped early."""
        self._study.tell(trial.number, state=TrialState.PRUNED)

    def fail(self, trial: Trial, reason: str) -> None:
        """End a trial that came to nothing."""
        trial.set_user_attr("reason", reason)
        self._study.tell(trial.number, state=TrialState.FAIL)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number."""
        return self._study.get_trials(deepcopy=False)

    def finished(self) -> list[FrozenTrial]:
        """Return those that need not be repeated: complete or pruned."""
        return [trial for trial in self.trials() if trial.state in FINISHED]

    def best(self) -> FrozenTrial | None:
        """Return the best of the complete trials; None where none is."""
        complete = [trial for trial in self.trials() if trial.state == TrialState.COMPLETE]
        return self._study.best_trial if complete else None


def _distribution(parameter: Any) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if isinstance(parameter, IntRange):
        return IntDistribution(parameter.low, parameter.high, step=parameter.step)
    if isinstance(parameter, FloatRange):
        return FloatDistribution(parameter.low, parameter.high, step=parameter.step)
    return FloatDistribution(parameter.low, parameter.high, log=True)


def _sampler(sweep: Sweep, number: int) -> optuna.samplers.BaseSampler:
    """Return a sampler for one trial: a study that goes on must not draw its numbers again."""
    chosen = sweep.sampler
    seed = (chosen.seed * 1_000_003 + number) % 2**32
    if isinstance(chosen, Tpe):
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=chosen.startup_trials)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(sweep: Sweep) -> optuna.pruners.BasePruner:
    chosen = sweep.pruner
    if isinstance(chosen, Median):
        first = chosen.warmup_epochs + 1  # Optuna prunes from this step on; ours count from 1
        return optuna.pruners.MedianPruner(chosen.startup_trials, first)
    if isinstance(chosen, Asha):
        return optuna.pruners.SuccessiveHalvingPruner(chosen.min_epochs, chosen.reduction)
    return optuna.pruners.NopPruner()
