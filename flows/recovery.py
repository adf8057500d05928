"""What a Prefect server cannot know that was away itself: which runs died with it.

The automations (`flows.automations`) go by events. Of a machine that lost its power there are none:
its runs say Running for ever, and a crash told in the server's last seconds may not have been acted
upon. So whenever deployments are applied, both are taken up.
"""

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import Event, RelatedResource, Resource
from prefect.states import AwaitingRetry

from flows.automations import FLOW, HEARTBEAT, MAX_RERUNS, RERUN_MESSAGE, reruns_are_on


def recover(pool: str) -> None:
    """Watch over the runs of a work pool that say Running, and requeue those that had crashed."""
    with get_client(sync_client=True) as client:
        running = _runs(client, pool, StateType.RUNNING)
        if events := [event for run in running for event in (_state(run), _heartbeat(run))]:
            told = [event.model_dump(mode="json") for event in events]
            client.request("POST", "/events", json=told).raise_for_status()
        if reruns_are_on(pool):
            for run in _runs(client, pool, StateType.CRASHED):
                if 1 <= run.run_count <= MAX_RERUNS:
                    client.set_flow_run_state(
                        run.id, AwaitingRetry(message=RERUN_MESSAGE), force=True
                    )


def _runs(client: SyncPrefectClient, pool: str, state: StateType) -> list[FlowRun]:
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[state]))
        ),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
    )


def _state(run: FlowRun) -> Event:
    """Return the event of a run's state once more.

    The server keeps in memory which ones it has seen, and lets the event of the next state wait 15
    minutes for one that it has not.
    """
    assert run.state is not None
    return _event(run, f"prefect.flow-run.{run.state.name}").model_copy(
        update={"id": run.state.id, "occurred": run.state.timestamp}
    )


def _heartbeat(run: FlowRun) -> Event:
    """Return a sign of life: a run that lives sends the next one, one that does not is found."""
    return _event(run, HEARTBEAT)


def _event(run: FlowRun, name: str) -> Event:
    flow = {
        "prefect.resource.id": f"prefect.flow.{run.flow_id}",
        "prefect.resource.role": "flow",
        "prefect.resource.name": FLOW,
    }
    return Event(
        event=name,
        resource=Resource({"prefect.resource.id": f"prefect.flow-run.{run.id}"}),
        related=[RelatedResource(flow)],
    )
