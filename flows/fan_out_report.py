"""What a person sees of a sweep or a cross-validation: a bar, a line a member, a table."""

from typing import Any

from flows.console import Bar, show_table
from flows.fold_summary import FoldsSummary
from flows.sweep_summary import SweepSummary


class Progress:
    """Turn the events of many trainings into movements of one bar and lines above it.

    Args:
        bar: the bar.
        what: a member is called, such as trial.
        metric: that they are judged by.
    """

    def __init__(self, bar: Bar, what: str, metric: str):
        self.bar, self.what, self.metric = bar, what, metric
        self._epochs: dict[int, str] = {}

    def __call__(self, event: dict) -> None:
        """Take one event."""
        if show := getattr(self, f"_on_{event['kind']}", None):
            show(event)

    def _on_station(self, event: dict) -> None:
        self.bar.update(event["name"])

    def _on_busy(self, event: dict) -> None:
        self.bar.write(f"another process is at work on {event['folder']}; waiting for its end")

    def _on_slots(self, event: dict) -> None:
        if event["done"]:
            self.bar.write(f"{event['done']} of {event['total']} {self.what}s are done already")
        self.bar.write(f"{event['slots']} {self.what}s at once")

    def _on_trial(self, event: dict) -> None:
        name = f"{self.what} {event['number']}"
        if event["state"] == "running":
            told = ", ".join(f"{key} {_short(value)}" for key, value in event["parameters"].items())
            self.bar.write(f"{name} begins: {told}" if told else f"{name} begins")
            return
        self._epochs.pop(event["number"], None)
        value = event["value"]
        figure = "" if value is None else f", {self.metric} {value:.4g}"
        reason = f": {event['reason']}" if event.get("reason") else ""
        self.bar.write(f"{name} {event['state']}{figure}{reason}")

    def _on_progress(self, event: dict) -> None:
        inner = event["event"]
        if "epoch" in inner:
            self._epochs[event["number"]] = f"{event['number']} in epoch {inner['epoch']}"
        self.bar.update("training", event["done"], event["total"], ", ".join(self._epochs.values()))


def sweep_with_report(sweep: Any, **options: Any) -> SweepSummary:
    """Run a sweep and show on stderr what happens."""
    with Bar("starting Prefect and MLflow") as bar:
        from flows.sweep import run

        return run(sweep, progress=Progress(bar, "trial", sweep.metric), **options)


def show_members(summary: SweepSummary | FoldsSummary) -> None:
    """Print what many trainings came to."""
    columns, rows = summary.rows()
    show_table(columns, rows)
    print()
    for topic, fact in summary.facts():
        print(f"{topic:<12} {fact}")


def folds_with_report(config: Any, *, folds: int, **options: Any) -> FoldsSummary:
    """Run a cross-validation and show on stderr what happens."""
    with Bar("starting Prefect and MLflow") as bar:
        from flows.cross_validation import run

        return run(config, folds=folds, progress=Progress(bar, "fold", "figures"), **options)


def batch_with_report(model: str, sources: list[str], **options: Any) -> dict[str, Any]:
    """Run a batch prediction and show on stderr what happens."""
    with Bar("starting Prefect") as bar:
        from flows.batch_prediction import run

        def show(event: dict) -> None:
            if event["kind"] == "station":
                bar.update(event["name"])
            else:
                rate = f"{event['pictures_per_second']:.1f} pictures/s on {event['slots']} slots"
                bar.update("predicting", event["done"], event["total"], rate)

        return run(model, sources, progress=show, **options)


def show_batch(summary: dict[str, Any]) -> None:
    """Print what a batch prediction came to."""
    rate, seconds = summary["pictures_per_second"], summary["seconds"]
    facts = {
        "pictures": f"{summary['pictures']:,}, with {summary['rows']:,} rows of results",
        "set aside": f"{summary['rejected']:,}: rejected.json says why",
        "answered now": f"{summary['answered']:,} in {seconds:.1f} s, {rate:.1f} pictures/s",
        "results": summary["out"],
    }
    for topic, fact in facts.items():
        print(f"{topic:<12} {fact}")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
