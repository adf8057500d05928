"""Who has been the champion of a registered model, since when and why.

Each reign is a tag of the registered model, `champion.0001`, `champion.0002`, ..., written before
the alias moves and never again: a reign ends where the next one begins. A process that dies between
the two writes leaves a tag whose version the alias does not name as yet; crowning it again, as a
repeated station of a run does, adds nothing and moves the alias.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow.tracking import MlflowClient

CHAMPION = "champion"
_TAG = re.compile(r"champion\.(\d{4,})")
_LONGEST = 2000  # characters of a reason


@dataclass(frozen=True)
class Reign:
    """A version's time as the champion.

    Args:
        version: its number.
        since: UTC, ISO 8601.
        until: the same; None: it still is.
        why: what made it the champion.
        by: the gate, or who did it by hand.
    """

    version: str
    since: str
    until: str | None
    why: str
    by: str


def crown(name: str, version: str, *, why: str, by: str) -> None:
    """Make a version the champion, and remember since when and why."""
    client = MlflowClient()
    tags = _tags(client, name)
    if not tags or tags[-1][1]["version"] != version:
        number = tags[-1][0] + 1 if tags else 1
        since = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"version": version, "since": since, "why": why[:_LONGEST], "by": by}
        client.set_registered_model_tag(name, f"champion.{number:04d}", json.dumps(told))
    client.set_registered_model_alias(name, CHAMPION, version)


def reigns(name: str) -> list[Reign]:
    """Return the reigns of a model's champions, the first one first."""
    told = [values for _, values in _tags(MlflowClient(), name)]
    ends = [values["since"] for values in told[1:]] + [None]
    return [Reign(until=end, **values) for values, end in zip(told, ends, strict=True)]


def _tags(client: MlflowClient, name: str) -> list[tuple[int, dict[str, str]]]:
    tags = client.get_registered_model(name).tags
    found = ((_TAG.fullmatch(key), value) for key, value in tags.items())
    return sorted((int(match[1]), json.loads(value)) for match, value in found if match)
