"""The main job: a configuration becomes a run, a registered version and, past its gate, a champion.

The flow computes nothing itself. A worker process trains and writes a journal; here the journal is
followed into MLflow, the published model is registered, scored anew in a fresh process on another
backend, and promoted or refused. Every station may be repeated: a flow that was killed is continued
by the next one with the same configuration.

Timings of the summary, in seconds: `total`; `worker` and `scoring`, while a worker process trained
or scored; `controller`, the rest: Prefect, MLflow, registration; `step` and `data`, the worker's
training steps and its waiting for data.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path

from flows.runtime import (
    choose_backend,
    choose_precision,
    controller_environment,
    refuse_launcher,
)

os.environ.update(controller_environment())  # read when Prefect and MLflow are imported
if "PREFECT__FLOW_RUN_ID" not in os.environ:  # not in a process of a Prefect worker: be quiet
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")

from filelock import FileLock
from mlflow.tracking import MlflowClient
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows import catalogue, provenance, registry, report_pages, run_pages
from flows.config import Config, resolve_config
from flows.distant_workers import DistantWorkers
from flows.embedded import prefect_server
from flows.following import ended_on_failure, follow, undisturbed
from flows.journal import last_event, read_journal
from flows.promote import Decision, decide
from flows.run_folder import RunFolder, claim_folder, default_home
from flows.summary import RunSummary
from flows.supervisor import Worker
from flows.tracking import Tracker
from flows.tracking_store import (
    close_orphans,
    end_run,
    is_passing,
    open_store,
    read_state,
)
from flows.verification import Evidence, verify_model

Progress = Callable[[dict], None]
_progress: ContextVar[Progress] = ContextVar("progress", default=lambda event: None)


def run(
    config: Config,
    again: bool = False,
    home: str | Path = "mlruns",
    progress: Progress = lambda event: None,
) -> RunSummary:
    """Run the flow with Prefect's server where one is named, else with an embedded one.

    Args:
        config: what to do.
        again: start anew where the same configuration has been run already.
        home: where runs, database and artifacts are kept.
        progress: gets the journal's events as they come, and in between
            {"kind": "station", "name"}, {"kind": "scoring", "what", "done", "total"} and
            {"kind": "busy", "folder"}: another process runs this, and its end is waited for.

    Raises:
        UserError: the configuration cannot be run here.
        WorkerError, TrackingError, ServerError: what failed; the same call goes on from there.
    """
    began = time.monotonic()
    refuse_launcher("zoo train", "; it starts its own processes: zoo train CONFIG --workers N")
    home = Path(home).absolute()
    token = _progress.set(progress)
    try:
        catalogue.check_preset(config)
        if done := _finished_before(resolve_config(config), home, again=again):
            return done
        _station("starting Prefect")
        with prefect_server(home):
            summary = train(config, again=again, home=home)
        if "total" not in summary.timings:
            summary = summary.with_total(time.monotonic() - began)
            summary.write(RunFolder(summary.run_dir).summary)
        return summary
    finally:
        _progress.reset(token)


@flow(name="train", flow_run_name="{config.name}")
def train(config: Config, again: bool = False, home: Path | None = None) -> RunSummary:
    """Train, register, verify, and promote or refuse.

    Args:
        config: what to do.
        again: train anew what is done already.
        home: where runs are kept; by default what ZOO_HOME names, else mlruns.
    """
    home = default_home() if home is None else home.absolute()
    catalogue.check_preset(config)
    resolved = resolve_config(config)
    claim = claim_folder(resolved, home, again=again, flow_run=flow_run.id, on_busy=_tell_busy)
    with claim as folder, open_store(home) as uri:
        close_orphans(home, uri)
        if folder.summary.exists():
            return RunSummary.read(folder.summary)
        with ended_on_failure(folder, uri, report_pages.publish_unfinished):
            timings = compute(resolved, folder.path, home, uri)
            run_id = read_state(folder)["run_id"]
            version = register(resolved, folder.path, run_id)
            decision = None
            while decision is None:  # a champion crowned meanwhile has to be beaten as well
                evidence = verify(resolved, folder.path, version, home)
                timings["scoring"] = timings.get("scoring", 0.0) + evidence.seconds
                decision = settle(resolved, version, evidence, home)
            aliases = finish(resolved, folder.path, run_id, version, evidence)
        summary = RunSummary(
            name=resolved.name,
            run_dir=str(folder.path),
            backend=resolved.backend,
            backend_reason=choose_backend(config.backend)[1],
            precision=resolved.precision,
            precision_reason=choose_precision(config.precision, resolved.backend)[1],
            metrics=evidence.metrics,
            trivial=evidence.trivial,
            verified_on=evidence.backend,
            tracking_uri=uri,
            mlflow_run_id=run_id,
            version=version,
            aliases=aliases,
            promoted=decision.promote,
            reasons=decision.reasons,
            timings=timings,
            test=evidence.test,
            defects=evidence.defects,
        )
        summary.write(folder.summary)
        run_pages.show_result(summary)
        report_pages.publish(folder, summary)
    return summary


@task(cache_policy=NO_CACHE)
def compute(config: Config, run_dir: Path, home: Path, uri: str) -> dict[str, float]:
    """Have a worker train to the end, telling MLflow and the caller as it goes; return timings."""
    _station("training")
    folder = RunFolder(run_dir)
    tracker = Tracker(
        folder,
        home=home,
        uri=uri,
        experiment=config.name,
        parameters=config.model_dump(mode="json"),
        tags={
            **provenance.origin_tags(config),
            "run_folder": str(folder.path),
        },
    )
    run_pages.link_pages(config.name, uri, tracker.run_id)
    report_pages.note_origin(folder, uri, tracker.run_id)
    processes = config.distribution.workers
    worker = (
        Worker(folder, backend=config.backend, processes=processes)
        if processes
        else DistantWorkers(folder)
    )
    try:
        follow(worker, tracker, [_progress.get(), run_pages.ProgressArtifact(config.name)])
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
    _station("registering")
    folder = RunFolder(run_dir)
    started = last_event(read_journal(folder.journal), "started") or {}
    tags = MlflowClient().get_run(run_id).data.tags
    kept = ("config_hash", "data_digest", "git_commit", "run_folder")
    version = registry.register(
        folder.model,
        config.name,
        run_id=run_id,
        backend=config.backend,
        kind=started.get("task", "detection"),  # journals of before there were others
        tags={key: tags[key] for key in kept if key in tags},
    )
    return str(version.version)


@_patient_task
def verify(config: Config, run_dir: Path, version: str, home: Path) -> Evidence:
    """Score the published model anew, on another backend, beside the champion."""
    _station("verifying")
    champion = registry.find_champion(config.name)
    if champion is not None and str(champion.version) == version:
        champion = None
    return verify_model(config, RunFolder(run_dir), champion, home, progress=_progress.get())


@_patient_task
def settle(config: Config, version: str, evidence: Evidence, home: Path) -> Decision | None:
    """Promote or refuse; None where the champion is not the one that was compared with."""
    with FileLock(home / "registry.lock"):
        champion = registry.find_champion(config.name)
        present = None if champion is None else str(champion.version)
        if present not in (evidence.champion, version):
            return None
        if evidence.differences:
            decision = Decision(False, evidence.differences)
        else:
            decision = decide(
                evidence.metrics, evidence.champion_metrics, config.gate, evidence.confidence
            )
        registry.close(config.name, version, decision, evidence.tags())
    return decision


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


def _finished_before(config: Config, home: Path, *, again: bool) -> RunSummary | None:
    """Return the summary of a configuration whose run is done, without starting Prefect."""
    if again:
        return None
    with suppress(_BusyError), claim_folder(config, home, again=False, on_busy=_leave) as folder:
        if not folder.summary.exists():
            return None
        with open_store(home) as uri:
            close_orphans(home, uri)
        return RunSummary.read(folder.summary)
    return None


class _BusyError(Exception):
    """Another controller is at work on the run."""


def _leave(folder: RunFolder) -> None:
    raise _BusyError(folder)


def _tell_busy(folder: RunFolder) -> None:
    get_run_logger().info("another process is at work on %s; waiting for its end", folder.path)
    _progress.get()({"kind": "busy", "folder": folder.path})


def _station(name: str) -> None:
    _progress.get()({"kind": "station", "name": name})
