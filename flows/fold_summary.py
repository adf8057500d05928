"""The end of the story of a cross-validation."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.figures import headline
from flows.kept_summary import KeptSummary


@dataclass(frozen=True)
class FoldsSummary(KeptSummary):
    """What a cross-validation came to.

    Args:
        name: the config's.
        folder: of the whole.
        seed: that dealt the records.
        figures: of each fold, by its index, as its training measured them at its end.
        mean, std: over the folds; the latter of a sample, with one fold less below the line.
        tracking_uri, mlflow_run_id: the whole's run in MLflow, the parent of the folds'.
    """

    name: str
    folder: str
    seed: int
    figures: list[dict[str, float]]
    mean: dict[str, float]
    std: dict[str, float]
    tracking_uri: str
    mlflow_run_id: str

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Return the columns and the rows of a table: a fold each, mean and deviation."""
        names = headline(self.mean) or sorted(self.mean)
        rows = [
            [f"fold {index}", *(fold[name] for name in names)]
            for index, fold in enumerate(self.figures)
        ]
        rows.append(["mean", *(self.mean[name] for name in names)])
        rows.append(["std", *(self.std[name] for name in names)])
        return ["", *names], rows

    def facts(self) -> list[tuple[str, str]]:
        """Return topics and facts, in words."""
        return [
            ("records", f"dealt into {len(self.figures)} folds by seed {self.seed}"),
            ("folder", self.folder),
            ("MLflow", f"run {self.mlflow_run_id} in {self.tracking_uri}"),
        ]


def spread(figures: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and sample standard deviation of each figure that all folds have.

    A figure below 0 says that there was nothing to score, such as no small object; where a fold
    has none, there is no mean.
    """
    common = set.intersection(*(set(fold) for fold in figures))
    known = sorted(name for name in common if all(fold[name] >= 0 for fold in figures))
    columns = {name: [fold[name] for fold in figures] for name in known}
    return (
        {name: statistics.fmean(values) for name, values in columns.items()},
        {name: statistics.stdev(values) for name, values in columns.items()},
    )
