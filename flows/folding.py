"""A cross-validation at work: a training for each fold, which it is validated on.

`<home>/runs/<name>-<hash>-<K>folds-seed<S>/` holds fold-0/ ... (a run's folder each, whose config
says which fold it is), journal.jsonl (a line a fold that has ended) and summary.json. Nothing is
registered: of K models none is the config's.
"""

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from flows.config import Config, config_hash, resolve_config
from flows.config_sections import Fold
from flows.fan_out import Resources, open_engine
from flows.fold_summary import FoldsSummary, spread
from flows.following import ended_on_failure
from flows.journal import Journal, read_journal
from flows.members import Member, train_members
from flows.origin import origin_tags
from flows.run_folder import RunFolder, claim, write_config
from flows.tracking import Tracker
from flows.tracking_store import close_orphans, one_line, open_store

Progress = Callable[[dict], None]
progress: ContextVar[Progress] = ContextVar("progress", default=lambda event: None)


def validate_folds(
    config: Config,
    folds: int,
    seed: int,
    home: Path,
    *,
    resources: Resources,
    most: int | None,
    address: str | None,
    again: bool,
    flow_run: str | None,
) -> FoldsSummary:
    """Train a model a fold, those that are not done yet; return what they came to.

    Raises:
        UserError, WorkerError: a fold's training failed; the others are interrupted.
    """
    stem = f"{config.name}-{config_hash(config)}-{folds}folds-seed{seed}"
    held = claim(
        stem,
        home,
        again=again,
        flow_run=flow_run,
        on_busy=lambda folder: progress.get()({"kind": "busy", "folder": folder.path}),
        prepare=lambda folder: write_config(folder, config),
    )
    with held as folder, open_store(home) as uri:
        close_orphans(home, uri)
        if folder.summary.exists():
            return FoldsSummary.read(folder.summary)
        with Journal(folder.journal) as journal:
            tracker = _parent(config, folds, seed, folder, home, uri)
            with ended_on_failure(folder, uri):
                work = Folds(config, folds, seed, folder, home, tracker, journal)
                if work.left:
                    _tell(kind="station", name="starting Ray")
                    with open_engine(address, resources, most) as engine:
                        _tell(kind="slots", slots=engine.slots, **work.counts())
                        train_members(engine, work.next, work.on_event, work.on_end)
                return work.conclude()


class Folds:
    """The folds while they are trained.

    Args:
        config: without a fold.
        folds: how many.
        seed: deals the records.
        folder: of the whole.
        home: the home that it belongs to.
        tracker: of the whole's run in MLflow, the parent of the folds'.
        journal: of the whole.
    """

    def __init__(
        self,
        config: Config,
        folds: int,
        seed: int,
        folder: RunFolder,
        home: Path,
        tracker: Tracker,
        journal: Journal,
    ):
        self.config, self.folds, self.seed, self.folder = config, folds, seed, folder
        self._home, self._tracker, self._journal = home, tracker, journal
        done = {event["step"] for event in read_journal(folder.journal) if event["kind"] == "fold"}
        self.left = [index for index in range(folds) if index not in done]

    def next(self) -> Member | None:
        """Return the next fold's training."""
        if not self.left:
            return None
        index = self.left.pop(0)
        _tell(kind="trial", state="running", number=index, parameters={})
        return Member(
            index,
            resolve_config(fold_config(self.config, index, self.folds, self.seed)),
            RunFolder(self.folder.path / f"fold-{index}"),
            parent=self.folder,
            home=self._home,
            uri=self._tracker.uri,
            parent_run=self._tracker.run_id,
            tags={"cross_validation": self.folder.name, "fold": str(index)},
        )

    def on_event(self, member: Member, event: dict) -> None:
        """Take an event of a fold's journal."""
        _tell(kind="progress", number=member.number, event=event, **self.counts())

    def on_end(self, member: Member, failure: BaseException | None) -> None:
        """End a fold in MLflow, then in the journal of the whole."""
        if failure is not None:
            member.end("FAILED", one_line(failure))
            raise failure
        member.end("FINISHED")
        figures = {
            name.removeprefix("val/"): value
            for name, value in member.figures[max(member.figures)].items()
        }
        metrics = {f"fold/{name}": value for name, value in figures.items()}
        self._journal.append("fold", step=member.number, figures=figures, metrics=metrics)
        self._tracker.sync()
        _tell(kind="trial", state="complete", number=member.number, value=None)

    def counts(self) -> dict[str, int]:
        """Return how many folds are done, of how many."""
        events = read_journal(self.folder.journal)
        return {"done": sum(event["kind"] == "fold" for event in events), "total": self.folds}

    def conclude(self) -> FoldsSummary:
        """Tell mean and deviation, and end the parent's run."""
        events = read_journal(self.folder.journal)
        told = {event["step"]: event["figures"] for event in events if event["kind"] == "fold"}
        figures = [told[index] for index in range(self.folds)]
        mean, std = spread(figures)
        metrics = {f"mean/{name}": value for name, value in mean.items()}
        metrics |= {f"std/{name}": value for name, value in std.items()}
        self._journal.append("cross_validation", step=self.folds, metrics=metrics)
        summary = FoldsSummary(
            name=self.config.name,
            folder=str(self.folder.path),
            seed=self.seed,
            figures=figures,
            mean=mean,
            std=std,
            tracking_uri=self._tracker.uri,
            mlflow_run_id=self._tracker.run_id,
        )
        self._tracker.catch_up()
        self._tracker.end("FINISHED")
        summary.write(self.folder.summary)
        return summary


def fold_config(config: Config, index: int, folds: int, seed: int) -> Config:
    """Return the config of one fold's training."""
    fold = Fold(index=index, of=folds, seed=seed)
    return config.model_copy(update={"data": config.data.model_copy(update={"fold": fold})})


def _parent(
    config: Config, folds: int, seed: int, folder: RunFolder, home: Path, uri: str
) -> Tracker:
    told = {"folds": folds, "fold_seed": seed}
    return Tracker(
        folder,
        home=home,
        uri=uri,
        experiment=config.name,
        parameters=config.model_dump(mode="json") | told,
        tags={
            "cross_validation": folder.name,
            **origin_tags(config),
            "mlflow.source.name": "zoo cross-validate",
        },
    )


def _tell(**event: Any) -> None:
    progress.get()(event)
