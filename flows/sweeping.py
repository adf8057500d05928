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

from collections.abc import Callable
from pathlib import Path

from mlflow.tracking import MlflowClient
from optuna.trial import FrozenTrial

from flows.config import dump_config, resolve_config
from flows.following import ended_on_failure
from flows.journal import Journal
from flows.origin import origin_tags
from flows.run_folder import RunFolder, claim
from flows.stations import finish, register, verify
from flows.study import STATES, Study
from flows.sweep_config import Sweep, dump_sweep, sweep_hash, trial_config
from flows.sweep_summary import SweepSummary, TrialSummary
from flows.sweep_trials import Trials, tell, trial_folder
from flows.tracking import Tracker
from flows.tracking_store import close_orphans, open_store
from flows.verification import Evidence
from flows.whole_files import write_whole
from flows.worker_process import WorkerError


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
    write_whole(folder.path / "best.yaml", dump_config(config))
    tell(kind="station", name="registering the best trial")
    version = register(config, won.path, run_id)
    tell(kind="station", name="verifying it")
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
            **origin_tags(base),
            "mlflow.source.name": "zoo sweep",
        },
    )


def _write(sweep: Sweep) -> Callable[[RunFolder], None]:
    return lambda folder: write_whole(folder.path / "sweep.yaml", dump_sweep(sweep))


def _tell_busy(folder: RunFolder) -> None:
    tell(kind="busy", folder=folder.path)
