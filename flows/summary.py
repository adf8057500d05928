"""The end of the story of a run, as the command line tells it and the run folder keeps it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.kept_summary import KeptSummary

_TIMINGS = ("total", "flow", "worker", "step", "data", "scoring", "controller")


@dataclass(frozen=True)
class RunSummary(KeptSummary):
    """What a run came to.

    Args:
        name: the registered model.
        run_dir: the run's folder.
        backend, backend_reason: what it computed on, and why.
        precision, precision_reason: in what, and why.
        metrics: the registered file's, measured in a fresh process on `verified_on`.
        trivial: the same metrics of a detector that answers "nothing" everywhere.
        verified_on: the backend that measured them.
        tracking_uri, mlflow_run_id: the run in MLflow.
        version, aliases: the registered version and how it is called.
        promoted, reasons: whether it became the champion, and why (not).
        timings: seconds, see `flows.train`.
        test: the metrics on the split `test`; None where the data have none.
        defects: of the data: split -> kind -> how many were left out or repaired.
    """

    name: str
    run_dir: str
    backend: str
    backend_reason: str
    precision: str
    precision_reason: str
    metrics: dict
    trivial: dict
    verified_on: str
    tracking_uri: str
    mlflow_run_id: str
    version: str
    aliases: list[str]
    promoted: bool
    reasons: list[str]
    timings: dict[str, float]
    test: dict | None = None
    defects: dict[str, dict[str, int]] = field(default_factory=dict)

    def with_total(self, seconds: float) -> "RunSummary":
        """Return it with the whole time, of which what no worker took is the controller's."""
        elsewhere = self.timings["worker"] + self.timings["scoring"]
        whole = {"total": seconds, "controller": seconds - elsewhere}
        return dataclasses.replace(self, timings=self.timings | whole)

    def facts(self) -> list[tuple[str, str]]:
        """Return topics and facts, in words: for the terminal and for the run's pages."""
        verdict = "champion" if self.promoted else "not promoted"
        reasons = "; ".join(self.reasons)
        times = [f"{name} {self.timings[name]:.1f}" for name in _TIMINGS if name in self.timings]
        return [
            ("gate", f"{verdict}: {reasons}" if reasons else verdict),
            ("called", ", ".join(f"@{alias}" for alias in self.aliases) or "-"),
            ("computed on", f"{self.backend}: {self.backend_reason}"),
            ("precision", f"{self.precision}: {self.precision_reason}"),
            ("data defects", describe_defects(self.defects) or "none"),
            ("seconds", ", ".join(times)),
            ("run folder", self.run_dir),
            ("MLflow", f"run {self.mlflow_run_id} in {self.tracking_uri}"),
            ("try it", f"zoo predict {self.handle} PICTURE"),
        ]

    @property
    def handle(self) -> str:
        """The name a user would remember: the champion's, else the version's."""
        champion = "champion" in self.aliases
        return f"models:/{self.name}@champion" if champion else self.model_uri

    @property
    def model_uri(self) -> str:
        """How MLflow and the command line call the version."""
        return f"models:/{self.name}/{self.version}"


def describe_defects(defects: Mapping[str, Mapping[str, int]]) -> str:
    """Say what was left out of the data or repaired: `train: degenerate_box 1`; empty for none."""
    return "; ".join(
        f"{split}: {', '.join(f'{kind} {count}' for kind, count in counts.items())}"
        for split, counts in defects.items()
        if counts
    )
