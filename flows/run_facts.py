"""What a run folder tells, read back: for its report, and for comparing it with others.

Works on a run in whatever state it is: one that was killed has a journal and no summary.
"""

import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from flows.figures import lower_is_better
from flows.journal import last_event, read_journal
from flows.run_folder import DETAILS, ORIGIN, RunFolder, is_held

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class RunFacts:
    """A run as its folder has it.

    Args:
        folder: of the run.
        config: the resolved configuration, nested.
        events: of the journal.
        summary, scores, details, hardware: the files of these names; {} where there are none.
        origin: `git_commit`, `versions`, `machine`, and `links` to the run's pages elsewhere.
        at_work: whether somebody is at work on it.
    """

    folder: RunFolder
    config: dict[str, Any]
    events: list[dict]
    summary: dict[str, Any]
    scores: dict[str, Any]
    details: dict[str, Any]
    hardware: dict[str, Any]
    origin: dict[str, Any] = field(default_factory=dict)
    at_work: bool = False

    @classmethod
    def read(cls, folder: RunFolder, *, ended: bool = False) -> "RunFacts":
        """Read a folder; a file that is missing, or was cut short, counts as not there.

        Args:
            folder: of the run.
            ended: nobody is at work on it but the caller, who is about to leave.
        """
        return cls(
            folder=folder,
            config=_yaml(folder.config),
            events=read_journal(folder.journal),
            summary=_json(folder.summary),
            scores=_json(folder.scores),
            details=_json(folder.report_data / DETAILS),
            hardware=_json(folder.hardware),
            origin=_json(folder.report_data / ORIGIN),
            at_work=not ended and any(map(is_held, (folder.worker_lock, folder.controller_lock))),
        )

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def started(self) -> dict[str, Any]:
        """The journal's latest `started`."""
        return last_event(self.events, "started") or {}

    @property
    def links(self) -> dict[str, str]:
        """The run's pages, name -> address."""
        return self.origin.get("links", {})

    @property
    def begun(self) -> str:
        """When the run began, in words; "" where it has not."""
        if not self.events:
            return ""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.events[0]["time"]))

    @property
    def trained(self) -> bool:
        """Whether the training came to its end."""
        return last_event(self.events, "finished") is not None

    @property
    def failure(self) -> str:
        """Why the last worker gave up, "" where it did not."""
        last = self.events[-1] if self.events else {}
        return last.get("reason", "") if last.get("kind") == "failed" else ""

    @property
    def kind(self) -> str:
        """The model's kind, "" where the run has not come so far."""
        return self.started.get("task", "detection") if self.started else ""

    @property
    def finished(self) -> bool:
        """Whether it came to its end: verified, and promoted or refused."""
        return bool(self.summary)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What counts of its figures: those of the verified file, else the last evaluation's."""
        verified = self.summary.get("metrics") or self.scores.get("metrics")
        return verified or self.evaluated

    @cached_property
    def evaluated(self) -> dict[str, float]:
        """The last evaluation of the training itself."""
        evaluation = last_event(self.events, "evaluation") or {}
        told = evaluation.get("metrics", {})
        return {name.removeprefix("val/"): value for name, value in told.items()}

    @property
    def verified(self) -> bool:
        """Whether `metrics` are of the published file, scored in a fresh process."""
        return bool(self.summary.get("metrics") or self.scores.get("metrics"))

    @property
    def trivial(self) -> dict[str, Any]:
        """The figures of answering nothing."""
        return self.summary.get("trivial") or self.scores.get("trivial") or {}

    @property
    def test(self) -> dict[str, Any]:
        """The figures on the split `test`."""
        return self.summary.get("test") or {}

    @property
    def data_digest(self) -> dict[str, str]:
        """Split -> digest of its records."""
        return self.started.get("data_digest", {})

    @property
    def steps_planned(self) -> int:
        """The steps of the whole training; 0 where that is not known."""
        if not self.started or not self.config:
            return 0
        batch = self.config["data"]["batch_size"]
        return self.config["train"]["epochs"] * (self.started["train_size"] // batch)

    @property
    def last_step(self) -> int:
        """How far the training came."""
        return max((event.get("step") or 0 for event in self.events), default=0)

    def curve(self, metric: str) -> Points:
        """Return (step, value) of a metric of the journal, such as `train/loss`."""
        return sorted(
            (event["step"], event["metrics"][metric])
            for event in self.events
            if metric in event.get("metrics", {})
        )

    def metric_names(self, kind: str) -> list[str]:
        """Return the metrics that events of a kind carry, in their order."""
        named = [event["metrics"] for event in self.events if event["kind"] == kind]
        return list(dict.fromkeys(name for metrics in named for name in metrics))

    def seconds(self) -> dict[str, float]:
        """Return the times of the run; before its end those that the journal tells."""
        told: dict[str, float] = dict(self.summary.get("timings", {}))
        if not told and (finished := last_event(self.events, "finished")):
            timings = finished["timings"]
            told = {name.removesuffix("_seconds"): value for name, value in timings.items()}
            told.pop("data_pictures_per_second", None)
        return told

    def rate(self) -> float | None:
        """Return the median of the pictures a second that training reported; None: none were."""
        rates = sorted(value for _, value in self.curve("train/pictures_per_second"))
        return rates[len(rates) // 2] if rates else None


def best_of(name: str, values: list[float | None]) -> float | None:
    """Return the best of a metric's values; None where fewer than two are there or all agree.

    What answering nothing scores is no merit of a run.
    """
    if name.startswith("trivial_"):
        return None
    known = [value for value in values if value is not None]
    if len(known) < 2 or len(set(known)) == 1:
        return None
    return min(known) if lower_is_better(name) else max(known)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted names; lists as they are."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _yaml(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return {}
