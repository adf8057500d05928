"""The main job: a configuration becomes a run, a registered version and, past its gate, a champion.

The flow computes nothing itself. A worker process trains and writes a journal; here the journal is
followed into MLflow, the published model is registered, scored anew in a fresh process on another
backend, and promoted or refused (`flows.stations`). A flow that was killed is continued by the next
one with the same configuration.

Timings of the summary, in seconds: `flow`, from its beginning to its report; `worker` and
`scoring`, while a worker process trained or scored; `step` and `data`, the worker's training steps
and its waiting for data. Of `zoo train` also `total`, with the start of an embedded Prefect, and
`controller`, what of it no worker took: Prefect, MLflow, registration.
"""

import os
import time
from contextlib import suppress
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

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows import catalogue, report_pages, run_pages
from flows.config import Config, resolve_config
from flows.embedded import prefect_server
from flows.following import ended_on_failure
from flows.run_folder import RunFolder, claim_folder, default_home
from flows.skipped import Skipped
from flows.stations import (
    Progress,
    compute,
    finish,
    look_for_news,
    register,
    settle,
    sign,
    station,
    telling,
    verify,
)
from flows.summary import RunSummary
from flows.tracking_store import close_orphans, open_store, read_state


def run(
    config: Config,
    again: bool = False,
    home: str | Path = "mlruns",
    progress: Progress = lambda event: None,
    *,
    if_changed: bool = False,
) -> RunSummary | Skipped:
    """Run the flow with Prefect's server where one is named, else with an embedded one.

    Args:
        config: what to do.
        again: start anew where the same configuration has been run already.
        home: where runs, database and artifacts are kept.
        progress: gets the journal's events as they come, and in between
            {"kind": "station", "name"}, {"kind": "scoring", "what", "done", "total"},
            {"kind": "changed", "because", "news"} and {"kind": "busy", "folder"}: another process
            runs this, and its end is waited for.
        if_changed: train anew, and only where config, data, code or weights are not those of the
            champion, or of a version that its gate has refused.

    Raises:
        UserError: the configuration cannot be run here.
        WorkerError, TrackingError, ServerError: what failed; the same call goes on from there.
    """
    began = time.monotonic()
    refuse_launcher("zoo train", "; it starts its own processes: zoo train CONFIG --workers N")
    home = Path(home).absolute()
    token = telling.set(progress)
    try:
        catalogue.check_preset(config)
        again = again or if_changed
        if done := _finished_before(resolve_config(config), home, again=again):
            return done
        station("starting Prefect")
        with prefect_server(home):
            summary = train(config, again=again, if_changed=if_changed, home=home)
        assert not isinstance(summary, State)  # Prefect returns what the state holds
        if isinstance(summary, Skipped):
            return summary
        if "total" not in summary.timings:
            summary = summary.with_total(time.monotonic() - began)
            summary.write(RunFolder(summary.run_dir).summary)
        return summary
    finally:
        telling.reset(token)


@flow(name="train", flow_run_name="{config.name}")
def train(
    config: Config, again: bool = False, if_changed: bool = False, home: Path | None = None
) -> RunSummary | Skipped | State:
    """Train, register, verify, and promote or refuse.

    Args:
        config: what to do.
        again: train anew what is done already.
        if_changed: end as Skipped where a training would find out nothing.
        home: where runs are kept; by default what ZOO_HOME names, else mlruns.
    Returns: a `RunSummary`, or where the training was not needed `Skipped`.
    """
    began = time.monotonic()
    home = default_home() if home is None else home.absolute()
    catalogue.check_preset(config)
    resolved = resolve_config(config)
    changed = look_for_news(resolved, home) if if_changed else None
    if isinstance(changed, Skipped):
        return Completed(name="Skipped", message=changed.reason, data=changed)
    if changed is not None:
        again = not changed.interrupted
    claim = claim_folder(resolved, home, again=again, flow_run=flow_run.id, on_busy=_tell_busy)
    with claim as folder, open_store(home) as uri:
        close_orphans(home, uri)
        if folder.summary.exists():
            return RunSummary.read(folder.summary)
        if changed is not None:
            changed.write(folder)
        with ended_on_failure(folder, uri, report_pages.publish_unfinished):
            timings = compute(resolved, folder.path, home, uri)
            run_id = read_state(folder)["run_id"]
            version = register(resolved, folder.path, run_id)
            decision = None
            while decision is None:  # a champion crowned meanwhile has to be beaten as well
                evidence = verify(resolved, folder.path, version, home)
                timings["scoring"] = timings.get("scoring", 0.0) + evidence.seconds
                decision = settle(resolved, version, evidence, home)
            sign(resolved, folder.path, run_id, version, evidence, decision)
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
            timings={"flow": time.monotonic() - began, **timings},
            test=evidence.test,
            defects=evidence.defects,
        )
        summary.write(folder.summary)
        run_pages.show_result(summary)
        report_pages.publish(folder, summary)
    return summary


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
    telling.get()({"kind": "busy", "folder": folder.path})
