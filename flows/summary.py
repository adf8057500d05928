"""The end of the story of a run, as the command line tells it and the run folder keeps it."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunSummary:
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

    def with_total(self, seconds: float) -> "RunSummary":
        """Return it with the whole time, of which what no worker took is the controller's."""
        elsewhere = self.timings["worker"] + self.timings["scoring"]
        whole = {"total": seconds, "controller": seconds - elsewhere}
        return dataclasses.replace(self, timings=self.timings | whole)

    @property
    def model_uri(self) -> str:
        """How MLflow and the command line call the version."""
        return f"models:/{self.name}/{self.version}"

    def write(self, path: Path) -> None:
        """Keep it as JSON; the file is there whole or not at all."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> "RunSummary":
        """Return what `write` kept."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
