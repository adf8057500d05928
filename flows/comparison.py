"""Runs beside one another: their figures, what their configurations differ in, their times.

Figures on different pictures do not compare: digests of the data tell, and a warning says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flows.figures import headline, scalars
from flows.run_facts import RunFacts, best_of, flat

_ABSENT = "(not there)"
# What may differ without a run being another one.
_ASIDE = ("data.cache", "train.log_steps", "train.checkpoint_steps")


@dataclass(frozen=True)
class Row:
    """One thing of all runs: a name, and a value a run or None where it has none."""

    name: str
    values: list[Any]
    best: Any = None


@dataclass(frozen=True)
class Comparison:
    """What several runs have in common, and what they have not.

    Args:
        names: of the runs, all different.
        runs: in the same order.
        metrics: a row a metric that some run has, with the best value.
        differences: a row a key of the configuration that is not the same in all.
        timings: seconds, pictures a second and parameters.
        warnings: why figures may not be compared.
    """

    names: list[str]
    runs: list[RunFacts]
    metrics: list[Row]
    differences: list[Row]
    timings: list[Row]
    warnings: list[str]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        tables = {"metrics": self.metrics, "config": self.differences, "timings": self.timings}
        return {
            "runs": [
                {"name": name, "folder": str(run.folder.path), "finished": run.finished}
                for name, run in zip(self.names, self.runs, strict=True)
            ],
            **{
                title: {row.name: dict(zip(self.names, row.values, strict=True)) for row in rows}
                for title, rows in tables.items()
            },
            "best": {
                row.name: [
                    name
                    for name, value in zip(self.names, row.values, strict=True)
                    if value == row.best
                ]
                for row in self.metrics
                if row.best is not None
            },
            "warnings": self.warnings,
        }


def compare(runs: Sequence[RunFacts]) -> Comparison:
    """Set two or more runs beside one another."""
    runs = list(runs)
    return Comparison(
        names=_names(runs),
        runs=runs,
        metrics=_metrics(runs),
        differences=_differences(runs),
        timings=_timings(runs),
        warnings=_warnings(runs),
    )


def _names(runs: list[RunFacts]) -> list[str]:
    """Return the folders' names, numbered where two are the same."""
    names: list[str] = []
    for run in runs:
        number = sum(name.split(" #")[0] == run.name for name in names)
        names.append(f"{run.name} #{number + 1}" if number else run.name)
    return names


def _metrics(runs: list[RunFacts]) -> list[Row]:
    """Return the metrics, what a summary shows first; losses are those of the last evaluation."""
    found = [scalars(run.evaluated) | scalars(run.metrics) for run in runs]
    names = dict.fromkeys(name for values in found for name in values)
    names = dict.fromkeys([*headline(names), *sorted(names, key=lambda name: "_class/" in name)])
    rows = []
    for name in names:
        values = [one.get(name) for one in found]
        rows.append(Row(name, values, best_of(name, values)))
    return rows


def _differences(runs: list[RunFacts]) -> list[Row]:
    configs = [flat(run.config) for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config if key not in _ASIDE)
    rows = [Row(key, [config.get(key, _ABSENT) for config in configs]) for key in keys]
    return [row for row in rows if any(value != row.values[0] for value in row.values)]


def _timings(runs: list[RunFacts]) -> list[Row]:
    told = [run.seconds() for run in runs]
    names = dict.fromkeys(name for times in told for name in times)
    rows = [
        Row(f"{name}, seconds", [_rounded(times.get(name)) for times in told]) for name in names
    ]
    rows.append(Row("pictures a second", [_rounded(run.rate()) for run in runs]))
    rows.append(Row("steps", [run.last_step for run in runs]))
    rows.append(Row("parameters", [run.started.get("num_params") for run in runs]))
    return rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _warnings(runs: list[RunFacts]) -> list[str]:
    told = [
        f"{run.name} did not come to its end: its figures are those of training itself"
        for run in runs
        if not run.verified
    ]
    if _differ(runs, lambda run: run.kind):
        told.append("these models are of different kinds: their figures measure different things")
    if _differ(runs, _scored_on):
        told.append(
            "they were not scored on the same pictures (other data, limit, fold or split): "
            "their figures do not compare"
        )
    if _differ(runs, lambda run: run.data_digest.get("train")):
        told.append("they learnt from different pictures")
    return told


def _scored_on(run: RunFacts) -> tuple:
    """Return what tells the pictures that a run was scored on from others."""
    data = run.config.get("data", {})
    return run.data_digest.get("val"), data.get("limit"), str(data.get("fold"))


def _differ(runs: list[RunFacts], what: Callable[[RunFacts], object]) -> bool:
    return len({what(run) for run in runs}) > 1
