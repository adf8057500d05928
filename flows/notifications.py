"""Who is told when a gate has refused a version: an event, and a hook that the server calls.

Each decision of a gate is an event on the Prefect server, `model.gate.passed` or `.refused`,
to which automations of one's own may listen. `zoo deploy --notify URL` makes one: the server posts
JSON to the URL for each refusal, with a `text` as chat services show it.
"""

from datetime import timedelta
from uuid import UUID

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.events import emit_event
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture
from pydantic import SecretStr

from flows.automations import create_or_update
from flows.promote import Decision

PASSED, REFUSED = "model.gate.passed", "model.gate.refused"
_BLOCK = "zoo-gate"
_KEYS = ("text", "model", "version", "reasons", "flow_run")
_PAYLOAD = (
    "{" + ", ".join(f'"{key}": {{{{ event.payload.{key} | tojson }}}}' for key in _KEYS) + "}"
)


def tell_decision(name: str, version: str, decision: Decision, flow_run: str) -> None:
    """Send the event of a gate's decision to the Prefect server."""
    verdict = "passed its gate" if decision.promote else "was refused by its gate"
    reasons = "; ".join(decision.reasons)
    emit_event(
        PASSED if decision.promote else REFUSED,
        resource={"prefect.resource.id": f"zoo.model.{name}", "prefect.resource.name": name},
        payload={
            "text": f"models:/{name}/{version} {verdict}: {reasons}",
            "model": name,
            "version": version,
            "reasons": decision.reasons,
            "flow_run": flow_run,
        },
    )


def call_on_refusal(url: str) -> None:
    """Have the server that is named post to a URL whenever a gate refuses a version."""
    hook = Webhook(
        url=SecretStr(url),
        headers={"Content-Type": "application/json"},  # type: ignore[arg-type]
    )
    block = hook.save(_BLOCK, overwrite=True)
    assert isinstance(block, UUID)  # outside of an event loop it is no coroutine
    create_or_update(
        Automation(
            name="zoo: tell of what a gate refused",
            description="Posts the version and the reasons to the block zoo-gate.",
            trigger=EventTrigger(
                posture=Posture.Reactive, expect={REFUSED}, threshold=1, within=timedelta(0)
            ),
            actions=[CallWebhook(block_document_id=block, payload=_PAYLOAD)],
        )
    )
