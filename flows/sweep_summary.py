"""The end of the story of a sweep, as the command line tells it and the sweep's folder keeps it."""

from dataclasses import dataclass
from typing import Any, Self

from flows.kept_summary import KeptSummary


@dataclass(frozen=True)
class TrialSummary:
    """One trial: how it ended, at which figure, after how many epochs, with which parameters."""

    number: int
    state: str
    value: float | None
    epochs: int
    seconds: float
    parameters: dict[str, Any]
    run_id: str
    reason: str = ""


@dataclass(frozen=True)
class SweepSummary(KeptSummary):
    """What a sweep came to.

    Args:
        name: the sweep.
        model: the registered model's name.
        folder: the sweep's.
        metric, direction: what trials are compared by.
        trials: all of them, by number.
        best, value: the best one's number and figure, as its training measured it.
        verified: the registered file's metrics, measured in a fresh process on `verified_on`.
        differences: from what its training measured; none in a sound model.
        version, aliases: the registered version and how it is called.
        tracking_uri, mlflow_run_id: the sweep's run in MLflow, the parent of the trials'.
    """

    name: str
    model: str
    folder: str
    metric: str
    direction: str
    trials: list[TrialSummary]
    best: int
    value: float
    verified: dict
    verified_on: str
    differences: list[str]
    version: str
    aliases: list[str]
    tracking_uri: str
    mlflow_run_id: str

    @property
    def model_uri(self) -> str:
        """How MLflow and the command line call the version."""
        return f"models:/{self.model}/{self.version}"

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Return the columns and the rows of a table of the trials, the best first."""
        keys = list(self.trials[self.best].parameters)
        sign = -1 if self.direction == "maximize" else 1
        order = {"complete": 0, "pruned": 1}
        ranked = sorted(
            self.trials, key=lambda one: (order.get(one.state, 2), sign * (one.value or 0.0))
        )
        columns = [
            "trial",
            "state",
            self.metric,
            "epochs",
            *(key.rpartition(".")[2] for key in keys),
        ]
        return columns, [
            [one.number, one.state, one.value, one.epochs, *(one.parameters.get(k) for k in keys)]
            for one in ranked
        ]

    def facts(self) -> list[tuple[str, str]]:
        """Return topics and facts, in words."""
        states = [one.state for one in self.trials]
        counts = ", ".join(f"{states.count(one)} {one}" for one in dict.fromkeys(states))
        found = self.verified.get(self.metric)
        checked = "" if found is None else f", {found:.4g} in a fresh process on {self.verified_on}"
        sound = "; ".join(self.differences)
        return [
            ("trials", counts),
            ("best", f"trial {self.best}: {self.metric} {self.value:.4g}{checked}"),
            (
                "beware",
                f"the best of {len(self.trials)} flatters itself: see --set train.seed below",
            ),
            *([("not sound", sound)] if sound else []),
            ("registered", f"{self.model_uri}, called {', '.join(f'@{a}' for a in self.aliases)}"),
            ("folder", self.folder),
            ("MLflow", f"run {self.mlflow_run_id} in {self.tracking_uri}"),
            ("promote it", f"zoo train {self.folder}/best.yaml --set train.seed=1"),
        ]

    def markdown(self) -> str:
        """Return the table of the trials for MLflow's page."""
        columns, rows = self.rows()
        lines = [columns, ["---"] * len(columns), *rows]
        table = "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)
        facts = "\n".join(f"- {topic}: {fact}" for topic, fact in self.facts())
        return f"{facts}\n\n{table}"

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the summary that has these values."""
        return cls(**values | {"trials": [TrialSummary(**one) for one in values["trials"]]})


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)
