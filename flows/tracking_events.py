"""Journal events in MLflow's words: metrics, tags, and pieces small enough for one request."""

import json
import posixpath
import re
from collections.abc import Iterator

from mlflow.entities import Metric, Param, RunTag

ENTITIES_A_REQUEST = 900  # MLflow takes 1,000 metrics, parameters and tags at once


def metrics_of(event: dict) -> list[Metric]:
    """Return an event's numbers as metrics at its step and its time.

    A name without a folder gets the event's kind as its folder: `step/loss`, `epoch/loss`. The time
    is the journal's, so the same event always makes the same metric.
    """
    values = dict(_flatten(event.get("metrics", {}), "/"))
    values |= {f"timings/{key}": value for key, value in event.get("timings", {}).items()}
    stamp, folder = int(event["time"] * 1000), event["kind"]
    named = {key if "/" in key else f"{folder}/{key}": value for key, value in values.items()}
    return [
        Metric(legal_key(key), value, stamp, event["step"])
        for key, value in named.items()
        if isinstance(value, int | float)
    ]


def tags_of(event: dict) -> list[RunTag]:
    """Return an event's tags."""
    tags: dict[str, object] = {}
    if event["kind"] == "started":
        tags = {"backend": event["backend"], "data_digest": json.dumps(event["data_digest"])}
    elif event["kind"] == "resumed":
        tags = {"resumed_at_step": event["step"]}
    elif event["kind"] == "stopped":
        tags = {"stopped_at_step": event["step"]}
    elif event["kind"] == "published":
        tags = {"model_sha256": event["sha256"]}
        if "step" in event:  # journals of before do not tell it
            tags["model_step"] = event["step"]
    return [RunTag(key, str(value)[:5000]) for key, value in tags.items()]


def parameters_of(values: dict) -> list[Param]:
    """Return nested values as parameters `a.b`."""
    return [Param(legal_key(key), str(value)[:6000]) for key, value in _flatten(values, ".")]


def batches(events: list[dict]) -> Iterator[list[dict]]:
    """Cut the events into pieces that one request each may carry."""
    batch: list[dict] = []
    size = 0
    for event in events:
        weight = len(metrics_of(event)) + len(tags_of(event))
        if batch and size + weight > ENTITIES_A_REQUEST:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += weight
    if batch:
        yield batch


def _flatten(values: dict, joint: str, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, joint, f"{prefix}{key}{joint}")
        else:
            yield f"{prefix}{key}", value


def legal_key(key: str) -> str:
    """Make a key of what MLflow takes: word characters and `- . : /` and space, a clean path."""
    return posixpath.normpath(re.sub(r"[^\w\-. :/]", "_", key))[:250]
