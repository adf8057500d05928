"""The trials of a sweep at work: its study asks, they train on Ray, their figures go back."""

import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from optuna.trial import Trial, TrialState

from flows.config import resolve_config
from flows.fan_out import open_engine
from flows.journal import Journal
from flows.members import Member, train_members
from flows.run_folder import RunFolder
from flows.runtime import UserError
from flows.study import STATES, Study
from flows.sweep_config import Sweep, is_better, trial_config
from flows.tracking import Tracker
from flows.tracking_store import one_line
from flows.worker_process import WorkerError

MAX_FAILURES = 3  # in a row at the beginning: whatever is wrong is wrong with all of them
Progress = Callable[[dict], None]
progress: ContextVar[Progress] = ContextVar("progress", default=lambda event: None)


class Trials:
    """The trials of a sweep while they are trained.

    Args:
        sweep: what is varied.
        study: knows what was tried.
        folder: of the sweep.
        home: the home that it belongs to.
        tracker: of the sweep's own run in MLflow, the parent of the trials'.
        journal: of the sweep.
    """

    def __init__(
        self,
        sweep: Sweep,
        study: Study,
        folder: RunFolder,
        home: Path,
        tracker: Tracker,
        journal: Journal,
    ):
        self.sweep, self.study, self.folder = sweep, study, folder
        self._home, self._tracker, self._journal = home, tracker, journal
        self._began = time.monotonic()
        self._left = study.interrupted()
        self._trials: dict[int, Trial] = {}
        self._failures: list[str] = []
        self._note_ends()  # of a process that was killed before it did

    def train(self, address: str | None) -> None:
        """Train what is left of them on Ray."""
        if not self._left and self._wanted() <= 0:
            return
        tell(kind="station", name="starting Ray")
        with open_engine(address, self.sweep.resources, self.sweep.concurrent) as engine:
            tell(kind="slots", slots=engine.slots, **self._counts())
            train_members(engine, self._next, self._on_event, self._on_end)

    def _wanted(self) -> int:
        return self.sweep.trials - len(self.study.finished()) - len(self._left)

    def _next(self) -> Member | None:
        """Return the next trial: one that was interrupted, else a new one."""
        limit = self.sweep.time_limit
        if self._left:
            trial = self._left.pop(0)
        elif limit is not None and time.monotonic() - self._began > limit:
            return None
        elif len(self.study.finished()) + len(self._trials) + len(self._failures) < (
            self.sweep.trials
        ):
            trial = self.study.ask()
        else:
            return None
        self._trials[trial.number] = trial
        tell(kind="trial", state="running", number=trial.number, parameters=trial.params)
        return Member(
            trial.number,
            resolve_config(trial_config(self.sweep.base, trial.params)),
            trial_folder(self.folder, trial.number),
            parent=self.folder,
            home=self._home,
            uri=self._tracker.uri,
            parent_run=self._tracker.run_id,
            tags={"sweep": self.folder.name, "trial": str(trial.number)},
        )

    def _on_event(self, member: Member, event: dict) -> None:
        if event["kind"] == "evaluation":
            trial = self._trials[member.number]
            value = self._figure(event["metrics"])
            worse = self.study.report(trial, event["epoch"], value)
            if worse and not member.was_pruned and not self._is_last(member, event):
                member.prune()
        tell(kind="progress", number=member.number, event=event, **self._counts())

    def _is_last(self, member: Member, event: dict) -> bool:
        """Whether nothing would be saved by stopping the trial."""
        return event["epoch"] >= member.config.train.epochs

    def _figure(self, metrics: dict[str, float]) -> float:
        name = f"val/{self.sweep.metric}"
        if name not in metrics:
            known = ", ".join(sorted(key.removeprefix("val/") for key in metrics))
            raise UserError(f"metric: no {self.sweep.metric} is measured here; there are {known}")
        return metrics[name]

    def _on_end(self, member: Member, failure: BaseException | None) -> None:
        """End a trial: in MLflow first, so that a trial which the study holds ended has ended."""
        trial = self._trials.pop(member.number)
        value = self._last_figure(member)
        if failure is not None or (math.isnan(value) and not member.was_pruned):
            reason = "the figure is not a number" if failure is None else one_line(failure)
            member.end("FAILED", reason, trial_state="failed")
            self.study.fail(trial, reason)
            self._judge(failure, reason)
        elif member.was_pruned:
            epoch = max(member.figures, default=0)
            reason = f"pruned after epoch {epoch}: {self.sweep.metric} {value:.4g}"
            member.end("KILLED", reason, trial_state="pruned")
            self.study.prune(trial)
        else:
            member.end("FINISHED", trial_state="complete")
            self.study.complete(trial, value)
        self._note_ends()

    def _last_figure(self, member: Member) -> float:
        if not member.figures:
            return math.nan
        return self._figure(member.figures[max(member.figures)])

    def _judge(self, failure: BaseException | None, reason: str) -> None:
        """Raise where the trials to come would fail as these did."""
        self._failures.append(reason)
        if self.study.finished():
            return
        if isinstance(failure, UserError):
            raise failure
        if len(self._failures) >= min(MAX_FAILURES, self.sweep.trials):
            log = getattr(failure, "log", "")
            raise WorkerError(f"the first {len(self._failures)} trials failed: {reason}", log)

    def _note_ends(self) -> None:
        """Tell the sweep's journal of each trial that has ended, once."""
        best: float | None = None
        direction = self.sweep.direction
        for trial in self.study.trials():
            value = trial.value if trial.state == TrialState.COMPLETE else None
            if value is not None and (best is None or is_better(value, best, direction)):
                best = value
            if not trial.state.is_finished():
                continue
            told = {"state": STATES[trial.state], "reason": trial.user_attrs.get("reason", "")}
            figures = _known(value=trial.value, best=best)
            if self._journal.append(
                "trial", step=trial.number, parameters=trial.params, metrics=figures, **told
            ):
                tell(kind="trial", number=trial.number, value=trial.value, **told)
        self._tracker.sync()

    def _counts(self) -> dict[str, int]:
        return {"done": len(self.study.finished()), "total": self.sweep.trials}


def trial_folder(folder: RunFolder, number: int) -> RunFolder:
    """Return the folder of a sweep's trial."""
    return RunFolder(folder.path / f"trial-{number:03d}")


def tell(**event: Any) -> None:
    """Tell whoever shows the sweep."""
    progress.get()(event)


def _known(**values: float | None) -> dict[str, float]:
    return {f"sweep/{name}": value for name, value in values.items() if value is not None}
