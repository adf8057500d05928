"""What `zoo train` shows: the choice, a bar with the loss, evaluations, the summary."""

from pathlib import Path

from flows.config import Config
from flows.console import Bar, note, show_table
from flows.figures import brief, class_figures, headline
from flows.journal import last_event, read_journal
from flows.runtime import choose_backend, choose_precision
from flows.skipped import Skipped
from flows.summary import RunSummary, describe_defects

_BOOK = ("class_error", "box_mae")  # the book's figures, on the training split as it prints them


def train_with_report(
    config: Config, *, again: bool, if_changed: bool, home: Path
) -> RunSummary | Skipped:
    """Run the training flow and show on stderr what happens.

    Raises:
        UserError: the configuration cannot be run here.
    """
    backend, why = choose_backend(config.backend)
    precision, because = choose_precision(config.precision, backend)
    note(f"{config.name} on {backend} ({why}), {precision} ({because})")
    with Bar("starting Prefect and MLflow") as bar:
        from flows.train import run

        return run(config, again=again, home=home, progress=Progress(bar), if_changed=if_changed)


class Progress:
    """Turn a run's events into movements of a bar and lines above it.

    Args:
        bar: the bar.
    """

    def __init__(self, bar: Bar):
        self.bar = bar
        self.epochs = 0
        self.steps: int | None = None

    def __call__(self, event: dict) -> None:
        """Take one event of the journal or of the flow."""
        if show := getattr(self, f"_on_{event['kind']}", None):
            show(event)

    def _on_busy(self, event: dict) -> None:
        self.bar.write(
            f"another process is at work on {event['folder']}; waiting for its end "
            "(--again trains beside it)"
        )

    def _on_changed(self, event: dict) -> None:
        for line in (event["because"], *event["news"]):
            self.bar.write(line)

    def _on_station(self, event: dict) -> None:
        self.bar.update(event["name"])

    def _on_scoring(self, event: dict) -> None:
        self.bar.update(event["what"], event["done"], event["total"])

    def _on_preparing(self, event: dict) -> None:
        self.bar.update(event["what"], event["done"])

    def _on_started(self, event: dict) -> None:
        values = event["parameters"]
        self.epochs = values["train"]["epochs"]
        self.steps = self.epochs * (event["train_size"] // values["data"]["batch_size"])
        self.bar.write(
            f"{event['num_params']:,} parameters; {event['train_size']:,} pictures to learn from, "
            f"{event['val_size']:,} to validate on"
        )
        if told := describe_defects(event.get("defects", {})):
            self.bar.write(f"defects in the data: {told}")
        if reused := event.get("reused_rows"):
            self.bar.write(reused)

    def _on_step(self, event: dict) -> None:
        metrics = event["metrics"]
        self.bar.update(
            "training",
            event["step"],
            self.steps,
            f"epoch {event['epoch']}/{self.epochs}, loss {metrics['train/step_loss']:.3g}, "
            f"{metrics['train/pictures_per_second']:.1f} pictures/s",
        )

    def _on_evaluation(self, event: dict) -> None:
        told = brief(event["metrics"], "val/")
        self.bar.write(f"epoch {event['epoch']}/{self.epochs}: {told}")

    def _on_stopped(self, event: dict) -> None:
        self.bar.write(
            f"stopped after epoch {event['epoch']}: {event['metric']} was best after step "
            f"{event['best_step']}, {event['best']:.3f}"
        )

    def _on_resumed(self, event: dict) -> None:
        self.bar.write(f"going on from step {event['step']}")

    def _on_restarted(self, event: dict) -> None:
        self.bar.write(f"the worker died and was started again ({event['restarts']})")


def show_summary(summary: RunSummary | Skipped) -> None:
    """Print what a run came to."""
    if isinstance(summary, Skipped):
        print(f"skipped in {summary.seconds:.1f} s: {summary.reason}")
        return
    names = headline(summary.metrics)
    rows = [[name, summary.metrics[name], summary.trivial[name]] for name in names]
    title = f"{summary.model_uri}, measured in a fresh process on {summary.verified_on}"
    show_table(["metric", "model", "answering nothing"], rows + _book_rows(summary), title=title)
    print()
    if summary.test is not None:
        show_table(["on the test split", "model"], _test_rows(summary.test))
        print()
    for topic, fact in summary.facts():
        print(f"{topic:<12} {fact}")


def _test_rows(test: dict) -> list[list]:
    rows = [[name, test[name]] for name in headline(test)]
    for figure, classes in class_figures(test).items():
        rows += [[f"{figure} of {name}", value] for name, value in classes.items()]
    return rows


def _book_rows(summary: RunSummary) -> list[list]:
    events = read_journal(Path(summary.run_dir) / "journal.jsonl")
    epoch = last_event(events, "epoch")
    if epoch is None:
        return []
    told = epoch["metrics"]
    return [
        [f"{name} (training)", told[f"train/{name}"], told[f"train/trivial_{name}"]]
        for name in _BOOK
        if f"train/{name}" in told
    ]
