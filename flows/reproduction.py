"""`zoo reproduce`: a recorded run trained again, and the first thing that comes out otherwise.

The config is the recorded one, with its seed; the data must have the recorded digest. What else
differs, code, versions, machine, is told and not refused: it is what a difference would come from.
The training is a worker's alone: nothing is registered, and MLflow hears nothing of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow.tracking import MlflowClient

from flows import provenance
from flows.config import Config, dump_config
from flows.journal import read_journal
from flows.recorded_run import RecordedRun, find_run
from flows.retraining import survey
from flows.run_folder import RunFolder
from flows.runtime import UserError, backend_version
from flows.supervisor import Worker
from flows.tracking_events import legal_key
from flows.tracking_store import answering, open_store
from flows.whole_files import write_whole

_OF_TIME = ("per_second", "seconds", "timings/")  # of such metrics no two runs have the same
TOLERANCE = 1e-4  # of the final metrics, as between two backends
Points = dict[str, dict[int, float]]  # metric -> step -> value


@dataclass(frozen=True, order=True)
class Point:
    """A metric at a step, both times."""

    step: int
    metric: str
    recorded: float
    now: float


@dataclass(frozen=True)
class Reproduction:
    """How a run came out the second time.

    Args:
        run_id, name: of the recorded run.
        folder: of the new training.
        environment: what was not the same before anything was computed, a line each.
        compared: points of metrics that both have.
        first_difference: None: every point is the same.
        final: metric -> (recorded, now), of the last evaluation.
        same: whether the final metrics agree to `TOLERANCE`.
    """

    run_id: str
    name: str
    folder: str
    environment: list[str]
    compared: int
    first_difference: Point | None
    final: dict[str, tuple[float, float]]
    same: bool


def reproduce(
    run: str, home: Path, progress: Callable[[dict], None] = lambda event: None
) -> Reproduction:
    """Train a recorded run again and compare.

    Args:
        run: see `flows.recorded_run`.
        home: whose store, where MLFLOW_TRACKING_URI names none; the training's folder is below it.
        progress: gets the journal's events.

    Raises:
        UserError: there is no such run, or its data are not here.
        WorkerError: the training died.
    """
    with open_store(home) as uri, answering(uri):
        recorded = find_run(run, home)
        before = _recorded_points(recorded.run_id)
    config = Config.model_validate(recorded.started["parameters"])
    _check_data(config, recorded)
    folder = _folder(config, recorded, home)
    for event in _worker(config, folder).follow():
        if event is not None:
            progress(event)
    now = _points(read_journal(folder.journal))
    both = sorted(_common(before, now))
    first = next((point for point in both if point.recorded != point.now), None)
    final = _final(before, now)
    return Reproduction(
        run_id=recorded.run_id,
        name=recorded.name,
        folder=str(folder.path),
        environment=_environment(config, recorded),
        compared=len(both),
        first_difference=first,
        final=final,
        same=bool(final) and all(_close(*pair) for pair in final.values()),
    )


def _check_data(config: Config, recorded: RecordedRun) -> None:
    there = survey(config, recorded.started["data_digest"])["data_digest"]
    for split, digest in recorded.started["data_digest"].items():
        if there.get(split) != digest:
            raise UserError(
                f"the data are not those of the run: {config.data.name}@{split} has the digest "
                f"{there.get(split, 'none')[:12]}, and had {digest[:12]}"
            )


def _folder(config: Config, recorded: RecordedRun, home: Path) -> RunFolder:
    """Return the folder of the training: one for each state of the code, so that it is resumed."""
    code = provenance.code_version(config.backend).partition(",")[0]
    folder = RunFolder(home / "reproductions" / f"{recorded.name}-{code}")
    folder.path.mkdir(parents=True, exist_ok=True)
    write_whole(folder.config, dump_config(config))
    return folder


def _worker(config: Config, folder: RunFolder) -> Worker:
    processes = max(1, config.distribution.workers)  # 0: a cluster's, which is not here
    return Worker(folder, backend=config.backend, processes=processes)


def _environment(config: Config, recorded: RecordedRun) -> list[str]:
    """Return what differs from the recorded run's surroundings."""
    here = provenance.machine()
    tags = recorded.tags
    pairs: dict[str, tuple[str | None, str | None]] = {
        "commit": (tags.get("git_commit"), provenance.git_commit() or "unknown"),
        "code": (tags.get("code_version"), provenance.code_version(config.backend)),
        "processor": (tags.get("machine.processor"), here["processor"]),
        "cores": (tags.get("machine.cpu_count"), here["cpu_count"]),
    }
    for package, version in recorded.started.get("versions", {}).items():
        if package != "python":
            pairs[package] = (version, backend_version(package))
    return [f"{what}: {was} then, {is_} now" for what, (was, is_) in pairs.items() if was != is_]


def _recorded_points(run_id: str) -> Points:
    client = MlflowClient()
    return {
        key: {point.step: point.value for point in client.get_metric_history(run_id, key)}
        for key in client.get_run(run_id).data.metrics
        if not _is_of_time(key)
    }


def _points(events: list[dict]) -> Points:
    points: Points = {}
    for event in events:
        for key, value in event.get("metrics", {}).items():
            if isinstance(value, int | float) and "step" in event:
                points.setdefault(legal_key(key), {})[event["step"]] = value
    return points


def _common(before: Points, now: Points) -> Iterator[Point]:
    for key in before.keys() & now.keys():
        if not _is_of_time(key):
            for step in before[key].keys() & now[key].keys():
                yield Point(step, key, before[key][step], now[key][step])


def _final(before: Points, now: Points) -> dict[str, tuple[float, float]]:
    """Return the validation's metrics of the last step that both have."""
    found = {}
    for key in sorted(before.keys() & now.keys()):
        if key.startswith("val/") and not _is_of_time(key):
            steps = before[key].keys() & now[key].keys()
            if steps:
                found[key] = (before[key][max(steps)], now[key][max(steps)])
    return found


def _is_of_time(key: str) -> bool:
    return any(part in key for part in _OF_TIME) or key.startswith("hardware/")


def _close(recorded: float, now: float) -> bool:
    return abs(recorded - now) <= TOLERANCE * max(1.0, abs(recorded))
