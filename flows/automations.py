"""What the Prefect server does by itself when a run dies: notice it, and run it again.

Prefect's own `retries` live in the process that dies with the run. So two automations, kept by the
server: a run that goes silent is called crashed, and one that crashed is put back into its queue,
as `prefect flow-run retry` does. The next process finds the run's folder and goes on from the
checkpoint.
"""

from datetime import timedelta
from typing import Any

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

SILENCE_SECONDS = 90  # three heartbeats of 30 s, the shortest that Prefect sends
MAX_RERUNS = 3  # of one run; what crashes each time would otherwise crash for ever
RERUN_SECONDS = 10  # after the crash, which a worker reports twice, seconds apart
RERUN_MESSAGE = "Crashed; goes on from its checkpoint."
FLOW = "train"
HEARTBEAT = "prefect.flow-run.heartbeat"

_ANY_RUN = "prefect.flow-run.*"
_ENDS = ("Completed", "Failed", "Cancelled", "Cancelling")


def automations(pool: str, *, silence: float = SILENCE_SECONDS) -> list[Automation]:
    """Return both automations, for the runs of a work pool's deployments of `train`."""
    return [_notice_silence(silence), _rerun_crashed(pool)]


def apply_automations(pool: str, *, silence: float = SILENCE_SECONDS) -> None:
    """Create them on the server that is named, or bring those of the same name up to date.

    One that somebody has switched off stays off.
    """
    for automation in automations(pool, silence=silence):
        create_or_update(automation)


def create_or_update(automation: Automation) -> None:
    """Create an automation, or bring the one of that name up to date; off stays off."""
    known = _find(automation.name)
    if known is None:
        automation.create()
    else:
        automation.id, automation.enabled = known.id, known.enabled
        automation.update()


def reruns_are_on(pool: str) -> bool:
    """Return whether the server runs again what crashed in a work pool."""
    known = _find(_rerun_crashed(pool).name)
    return known is not None and known.enabled


def _notice_silence(silence: float) -> Automation:
    return Automation(
        name="zoo: a silent run has crashed",
        description=f"A run that has not sent a heartbeat for {silence:.0f} s is called crashed.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=ResourceSpecification({"prefect.resource.id": _ANY_RUN}),
            match_related=_related("flow", FLOW),
            for_each={"prefect.resource.id"},
            after={HEARTBEAT},
            expect=_events("heartbeat", "Crashed", "Scheduled", "AwaitingRetry", "Paused", *_ENDS),
            threshold=1,
            within=timedelta(seconds=silence),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                force=False,  # what has ended otherwise meanwhile stays so
                message=f"No heartbeat for {silence:.0f} s: its process and its worker are gone.",
            )
        ],
    )


def _rerun_crashed(pool: str) -> Automation:
    """Count by the run itself, which knows how often it has been started."""
    started = [str(count) for count in range(1, MAX_RERUNS + 1)]
    return Automation(
        name=f"zoo: rerun what crashed in {pool}",
        description=f"A crashed run goes on from its checkpoint, {MAX_RERUNS} times at most.",
        trigger=EventTrigger(
            posture=Posture.Proactive,  # fires when after the crash nothing else has happened
            match=ResourceSpecification(
                {"prefect.resource.id": _ANY_RUN, "prefect.run-count": started}
            ),
            match_related=_related("work-pool", pool),
            for_each={"prefect.resource.id"},
            after={"prefect.flow-run.Crashed"},
            expect=_events("Scheduled", "AwaitingRetry", "Pending", "Running", *_ENDS),
            threshold=1,
            within=timedelta(seconds=RERUN_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                name="AwaitingRetry",
                state=StateType.SCHEDULED,
                message=RERUN_MESSAGE,
                force=True,  # a crash is an end, which a run leaves by force only
            )
        ],
    )


def _events(*states: str) -> set[str]:
    return {f"prefect.flow-run.{state}" for state in states}


def _related(role: str, name: str) -> ResourceSpecification:
    return ResourceSpecification({"prefect.resource.role": role, "prefect.resource.name": name})


def _find(name: str) -> Any:
    try:
        return Automation.read(name=name)
    except ValueError:
        return None
