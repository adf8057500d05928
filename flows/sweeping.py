"""A sweep at work: its study asks, trials train on Ray, their figures go back, the best is kept.

`<home>/runs/<sweep>-<hash>/` holds

    sweep.yaml      the sweep, whole             journal.jsonl  a line a trial that has ended
    study.db        what Optuna knows            best.yaml      the best trial's config
    trial-000/ ...  a run's folder each          summary.json   the end of the story

Everything there outlives a killed process: finished trials are not repeated, and one that was under
way goes on with the checkpoint in its folder. The best is the best of several on the pictures that
it was chosen by, so it flatters itself; it is registered as the challenger, scored anew as every
version is, and not promoted. Its config, trained with another seed, goes through the gate.
"""

import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from optuna.trial import FrozenTrial, Trial, TrialState

from flows import provenance
from flows.config import config_hash, dump_config, resolve_config
from flows.fan_out import open_engine
from flows.following import ended_on_failure
from flows.journal import Journal
from flows.members import Member, train_members
from flows.run_folder import RunFolder, claim
from flows.runtime import UserError
from flows.study import STATES, Study
from flows.sweep_config import Sweep, dump_sweep, is_better, sweep_hash, trial_config
from flows.sweep_summary import SweepSummary, TrialSummary
from flows.tracking import Tracker
from flows.tracking_store import close_orphans, one_line, open_store
from flows.train import finish, register, verify
from flows.verification import Evidence
from flows.worker_process import WorkerError

MAX_FAILURES = 3  # in a row at the beginning: whatever is wrong is wrong with all of them
Progress = Callable[[dict], None]
progress: ContextVar[Progress] = ContextVar("progress", default=lambda event: None)


def run_sweep(
    sweep: Sweep, home: Path, *, address: str | None, again: bool, flow_run: str | None
) -> SweepSummary:
    """Do what a sweep says, or what is left of it; return what it came to.

    Raises:
        UserError: a trial found the user's mistake before any was finished.
        WorkerError: no trial came to its end.
    """
    stem = f"{sweep.name}-{sweep_hash(sweep)}"
    held = claim(
        stem, home, again=again, flow_run=flow_run, on_busy=_tell_busy, prepare=_write(sweep)
    )
    with held as folder, open_store(home) as uri:
        close_orphans(home, uri)
        study = Study(sweep, folder.path / "study.db")
        if folder.summary.exists() and len(study.finished()) >= sweep.trials:
            return SweepSummary.read(folder.summary)
        with Journal(folder.journal) as journal:
            tracker = _parent(sweep, folder, home, uri)
            with ended_on_failure(folder, uri):
                trials = Trials(sweep, study, folder, home, tracker, journal)
                trials.train(address)
                return _conclude(trials, tracker)


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
        _tell(kind="station", name="starting Ray")
        with open_engine(address, self.sweep.resources, self.sweep.concurrent) as engine:
            _tell(kind="slots", slots=engine.slots, **self._counts())
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
        _tell(kind="trial", state="running", number=trial.number, parameters=trial.params)
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
        _tell(kind="progress", number=member.number, event=event, **self._counts())

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
                _tell(kind="trial", number=trial.number, value=trial.value, **told)
        self._tracker.sync()

    def _counts(self) -> dict[str, int]:
        return {"done": len(self.study.finished()), "total": self.sweep.trials}


def trial_folder(folder: RunFolder, number: int) -> RunFolder:
    """Return the folder of a sweep's trial."""
    return RunFolder(folder.path / f"trial-{number:03d}")


def _conclude(trials: Trials, tracker: Tracker) -> SweepSummary:
    """Register the best trial as the challenger, and tell of all."""
    best = trials.study.best()
    if best is None:
        reasons = [one.user_attrs.get("reason", "pruned") for one in trials.study.trials()]
        raise WorkerError(f"no trial came to its end: {reasons[-1]}" if reasons else "none", "")
    sweep, folder = trials.sweep, trials.folder
    config = resolve_config(trial_config(sweep.base, best.params))
    won = trial_folder(folder, best.number)
    run_id = Tracker.run_of(won)
    _write_text(folder.path / "best.yaml", dump_config(config))
    _tell(kind="station", name="registering the best trial")
    version = register(config, won.path, run_id)
    _tell(kind="station", name="verifying it")
    evidence = verify(config, won.path, version, Path(trials._home))
    aliases = finish(config, won.path, run_id, version, evidence)
    tried = len(trials.study.trials())
    _tag_version(config.name, version, folder, evidence, tried)
    summary = SweepSummary(
        name=sweep.name,
        model=config.name,
        folder=str(folder.path),
        metric=sweep.metric,
        direction=sweep.direction,
        trials=[_summary_of(one, folder) for one in trials.study.trials()],
        best=best.number,
        value=float(best.value or 0.0),
        verified=evidence.metrics,
        verified_on=evidence.backend,
        differences=evidence.differences,
        version=version,
        aliases=aliases,
        tracking_uri=tracker.uri,
        mlflow_run_id=tracker.run_id,
    )
    _end_parent(tracker, summary)
    summary.write(folder.summary)
    return summary


def _end_parent(tracker: Tracker, summary: SweepSummary) -> None:
    client = MlflowClient()
    told = {
        "best_trial": summary.best,
        "best_run": summary.trials[summary.best].run_id,
        "best_version": summary.model_uri,
        f"best_{summary.metric}": f"{summary.value:.6g}",
        "mlflow.note.content": summary.markdown(),
    }
    tracker.catch_up()
    for key, value in told.items():
        client.set_tag(tracker.run_id, key, str(value))
    tracker.end("FINISHED")


def _tag_version(
    name: str, version: str, folder: RunFolder, evidence: Evidence, tried: int
) -> None:
    """Tell at the version why it is a challenger and no more."""
    reason = f"the best of {tried} trials, on the pictures it was chosen by"
    gate = {"gate": "not run", "gate_reasons": reason}
    if evidence.differences:
        gate = {"gate": "failed", "gate_reasons": "; ".join(evidence.differences)[:5000]}
    client = MlflowClient()
    for key, value in {**evidence.tags(), **gate, "sweep": folder.name}.items():
        client.set_model_version_tag(name, version, key, value)


def _summary_of(trial: FrozenTrial, folder: RunFolder) -> TrialSummary:
    last = max(trial.intermediate_values, default=0)
    value = trial.value if trial.value is not None else trial.intermediate_values.get(last)
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return TrialSummary(
        number=trial.number,
        state=STATES[trial.state],
        value=value,
        epochs=last,
        seconds=seconds,
        parameters=trial.params,
        run_id=Tracker.run_of(trial_folder(folder, trial.number)),
        reason=trial.user_attrs.get("reason", ""),
    )


def _parent(sweep: Sweep, folder: RunFolder, home: Path, uri: str) -> Tracker:
    base = resolve_config(sweep.base)
    return Tracker(
        folder,
        home=home,
        uri=uri,
        experiment=base.name,
        parameters={"sweep": sweep.model_dump(mode="json", exclude={"base"}), "base": base.name},
        tags={
            "sweep": folder.name,
            "config_hash": config_hash(base),
            "git_commit": provenance.git_commit() or "unknown",
            "mlflow.source.name": "zoo sweep",
        },
    )


def _write(sweep: Sweep) -> Callable[[RunFolder], None]:
    return lambda folder: _write_text(folder.path / "sweep.yaml", dump_sweep(sweep))


def _write_text(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _known(**values: float | None) -> dict[str, float]:
    return {f"sweep/{name}": value for name, value in values.items() if value is not None}


def _tell_busy(folder: RunFolder) -> None:
    _tell(kind="busy", folder=folder.path)


def _tell(**event: Any) -> None:
    progress.get()(event)
