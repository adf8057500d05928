"""The stations of the main job, a Prefect task each; every one may be repeated.

Whoever calls a flow hears of them through `telling`, which holds for the calling context.
"""

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock
from mlflow.tracking import MlflowClient
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows import (
    gate_table,
    notifications,
    registered,
    registry,
    report_pages,
    run_pages,
)
from flows.config import Config
from flows.distant_workers import DistantWorkers
from flows.following import follow, undisturbed
from flows.journal import last_event, read_journal
from flows.origin import PARTS, Origin, origin_tags
from flows.promote import Decision, decide
from flows.retraining import Changed, look
from flows.run_folder import RunFolder
from flows.skipped import Skipped
from flows.supervisor import Worker
from flows.tracking import Tracker
from flows.tracking_store import close_orphans, end_run, is_passing, open_store
from flows.verification import Evidence, verify_model

Progress = Callable[[dict], None]
telling: ContextVar[Progress] = ContextVar("telling", default=lambda event: None)


def station(name: str) -> None:
    """Tell which station a flow has come to."""
    telling.get()({"kind": "station", "name": name})


@task(cache_policy=NO_CACHE)
def look_for_news(config: Config, home: Path) -> Changed | Skipped:
    """Find out whether config, data, code and weights are those of a version that there is."""
    station("looking at the data")
    with open_store(home) as uri:
        close_orphans(home, uri)
        found = look(config, home)
    run_pages.show_news(config.name, found)
    if isinstance(found, Changed):
        told = {"because": found.because, "news": found.report.news()}
        telling.get()({"kind": "changed", **told})
    return found


@task(cache_policy=NO_CACHE)
def compute(config: Config, run_dir: Path, home: Path, uri: str) -> dict[str, float]:
    """Have a worker train to the end, telling MLflow and the caller as it goes; return timings."""
    station("training")
    folder = RunFolder(run_dir)
    tracker = Tracker(
        folder,
        home=home,
        uri=uri,
        experiment=config.name,
        parameters=config.model_dump(mode="json"),
        tags={
            **origin_tags(config),
            "run_folder": str(folder.path),
        },
    )
    registered.provide_champion(config, folder.champion, home)
    run_pages.log_file(tracker.run_id, folder.data_report)
    run_pages.link_pages(config.name, uri, tracker.run_id)
    report_pages.note_origin(folder, uri, tracker.run_id)
    processes = config.distribution.workers
    worker = (
        Worker(folder, backend=config.backend, processes=processes)
        if processes
        else DistantWorkers(folder)
    )
    try:
        follow(worker, tracker, [telling.get(), run_pages.ProgressArtifact(config.name)])
    except BaseException:
        with undisturbed():
            worker.stop()
            tracker.sync()
        raise
    tracker.catch_up()
    finished = last_event(read_journal(folder.journal), "finished")
    told = finished["timings"] if finished else {}
    return {
        "worker": worker.seconds,
        "step": told.get("step_seconds", 0.0),
        "data": told.get("data_seconds", 0.0),
    }


def _may_pass(_task, _task_run, state) -> bool:
    """Whether a failed task is worth another try: its store was away, and may come back."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, Exception) and is_passing(error)


_patient_task = task(
    cache_policy=NO_CACHE,
    retries=6,
    retry_delay_seconds=[1, 5, 10, 20, 40, 60],
    retry_condition_fn=_may_pass,
)


@_patient_task
def register(config: Config, run_dir: Path, run_id: str) -> str:
    """Register the published model as a version, the challenger; return its number."""
    station("registering")
    folder = RunFolder(run_dir)
    started = last_event(read_journal(folder.journal), "started") or {}
    tags = MlflowClient().get_run(run_id).data.tags
    kept = (*PARTS, "git_commit", "run_folder")
    told = {key: tags[key] for key in kept if key in tags}
    version = registry.register(
        folder.model,
        config.name,
        run_id=run_id,
        backend=config.backend,
        kind=started.get("task", "detection"),  # journals of before there were others
        tags={**told, "origin": Origin(told).key},
    )
    return str(version.version)


@_patient_task
def verify(config: Config, run_dir: Path, version: str, home: Path) -> Evidence:
    """Score the published model anew, on another backend, beside the champion."""
    station("verifying")
    champion = registered.find_champion(config.name)
    if champion is not None and str(champion.version) == version:
        champion = None
    return verify_model(config, RunFolder(run_dir), champion, home, progress=telling.get())


@_patient_task
def settle(config: Config, version: str, evidence: Evidence, home: Path) -> Decision | None:
    """Promote or refuse; None where the champion is not the one that was compared with."""
    with FileLock(home / "registry.lock"):
        champion = registered.find_champion(config.name)
        present = None if champion is None else str(champion.version)
        if present not in (evidence.champion, version):
            return None
        if evidence.differences:
            decision = Decision(False, evidence.differences)
        else:
            decision = decide(
                evidence.metrics, evidence.champion_metrics, config.gate, evidence.confidence
            )
        kept = {"gate_conditions": registry.conditions(config), **evidence.tags()}
        registry.close(config.name, version, decision, kept)
    return decision


@_patient_task
def sign(
    config: Config,
    run_dir: Path,
    run_id: str,
    version: str,
    evidence: Evidence,
    decision: Decision,
) -> None:
    """Leave the table that decided in the run folder and on the pages."""
    gate_table.sign(config.name, version, evidence, decision, RunFolder(run_dir).gate, run_id)
    with run_pages.harmless("the event of the gate"):
        notifications.tell_decision(config.name, version, decision, str(flow_run.id))


@_patient_task
def finish(
    config: Config, run_dir: Path, run_id: str, version: str, evidence: Evidence
) -> list[str]:
    """Log what was verified and end the MLflow run; return the version's aliases."""
    client = MlflowClient()
    run_pages.log_verified(run_id, evidence)
    client.log_artifact(run_id, str(RunFolder(run_dir).scores))
    end_run(client, run_id, "FINISHED")
    return registry.aliases(config.name, version)
