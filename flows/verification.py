"""A published model scored again: in a fresh process, on another backend where there is one.

What training reported is not taken on trust. The scores that count are those of the file that will
be registered, opened anew, and they must be the same on the backend that trained it and on another.
"""

import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mlflow.entities.model_registry import ModelVersion

from flows import registered, worker_verb
from flows.agreement import agreement
from flows.config import Config
from flows.journal import last_event, read_journal
from flows.run_folder import RunFolder
from flows.runtime import installed_backends
from flows.source_options import as_options

# Float32 rounding moves a score of a box, hardly ever its rank; and a figure above 1, such as a
# loss, by a part of itself.
TOLERANCE = 1e-4
# Of detections, where it did: sound models had 97 % and 100 %, a Fast R-CNN whose ties rounding
# settled had 78 %, and a model that is computed otherwise has next to none.
AGREEMENT = 0.95

Progress = Callable[[dict], None]


@dataclass(frozen=True)
class Evidence:
    """What a decision about a version rests on.

    Args:
        metrics, trivial: the version's, and those of answering "nothing", on the same pictures.
        test: the version's on the split `test`, which decides nothing; None: the data have none.
        backend: where they were measured.
        pictures: which pictures: the SPEC, its digest and its limit.
        count: of them; None: it was not told.
        differences: from what the training backend measured, in words; none in a sound model, nor
            where it found the same boxes.
        champion, champion_metrics: the version it was compared with, on the same pictures.
        defects: of the data, split -> kind -> how many, as training met them.
        confidence: 0..1, that it is better than the champion.
        seconds: that scoring took.
    """

    metrics: dict
    trivial: dict
    test: dict | None
    backend: str
    pictures: str
    count: int | None
    differences: list[str]
    defects: dict[str, dict[str, int]]
    champion: str | None
    champion_metrics: dict | None
    confidence: float | None
    seconds: float

    def tags(self) -> dict[str, str]:
        """Return what the version remembers of it."""
        return {"scores": json.dumps(self.metrics), "scored_on": self.pictures}


def verify_model(
    config: Config,
    folder: RunFolder,
    champion: ModelVersion | None,
    home: Path,
    *,
    progress: Progress = lambda event: None,
) -> Evidence:
    """Score a run's published model anew, beside the champion where there is one."""
    began = time.monotonic()
    events = read_journal(folder.journal)
    place = ":".join(filter(None, (config.data.name, config.data.path)))
    fold = config.data.fold
    spec = f"{place}@val" if fold is None else f"{place}@train"
    started = last_event(events, "started") or {}
    pictures = f"{spec} {started['data_digest']['val']} limit {config.data.limit}"
    measure = functools.partial(
        score,
        data=spec,
        on_defect=config.data.on_defect,
        options=config.data.options,
        limit=config.data.limit,
        fold=None if fold is None else fold.model_dump(),
        progress=progress,
    )
    elsewhere = _other_backend(config.backend)
    rival = None if champion is None else registered.local_file(champion, home)
    scores = measure(
        folder.model,
        backend=elsewhere,
        out=folder.scores,
        against=rival,
        metric=config.gate.metric if config.gate else None,
        predictions=folder.predictions,
        report=folder.report_data,
    )
    reference = _told_by_training(events, config.precision)
    if reference is None:
        out = folder.path / f"scores_{config.backend}.json"
        reference = measure(folder.model, backend=config.backend, out=out)["metrics"]
    differences = _differences(reference, scores["metrics"])
    if differences and _found_the_same(measure, config, folder):
        differences = []
    test = None
    if "test" in started.get("splits", ()):
        out = folder.path / "scores_test.json"
        test = measure(folder.model, data=f"{place}@test", backend=elsewhere, out=out)["metrics"]
    return Evidence(
        metrics=scores["metrics"],
        trivial=scores["trivial"],
        test=test,
        backend=elsewhere,
        pictures=pictures,
        count=scores.get("pictures"),
        differences=differences,
        defects=started.get("defects", {}),
        champion=None if champion is None else str(champion.version),
        champion_metrics=None if rival is None else scores["against"]["metrics"],
        confidence=scores["confidence"],
        seconds=time.monotonic() - began,
    )


def score(
    model: Path,
    *,
    data: str,
    limit: int | None,
    backend: str,
    out: Path,
    on_defect: str = "stop",
    options: Mapping = MappingProxyType({}),
    fold: Mapping | None = None,
    against: Path | None = None,
    metric: str | None = None,
    predictions: Path | None = None,
    report: Path | None = None,
    progress: Progress = lambda event: None,
) -> dict:
    """Score a model in a fresh process and return the scores.

    Args:
        model: a published `.keras` file.
        data: the SPEC of the pictures.
        limit: take this many pictures only.
        backend: the process computes on it.
        out: where the scores are kept.
        options: of the data source.
        fold: of the training records, index, of and seed, in place of the split `val`.
        on_defect: stop where the data have defects, or skip them.
        against: a model to compare with by `metric`, or by what its kind is mostly judged by;
            `confidence` in the scores says how sure it is that `model` is the better one.
        predictions: where the answers go, COCO results.
        report: the folder for what a report shows.
        progress: gets {"kind": "scoring", "what", "done", "total"} now and then.

    Raises:
        UserError, WorkerError: the process found a mistake, or died.
    """
    arguments = [str(model), "--data", data, "--out", str(out)]
    arguments += ["--on-defect", on_defect, *as_options(options)]
    arguments += [] if limit is None else ["--limit", str(limit)]
    arguments += [] if fold is None else ["--fold", json.dumps(fold)]
    arguments += [] if against is None else ["--against", str(against)]
    arguments += [] if metric is None else ["--metric", metric]
    arguments += [] if predictions is None else ["--predictions", str(predictions)]
    arguments += [] if report is None else ["--report", str(report)]

    def tell(fields: dict) -> None:
        progress({"kind": "scoring", **fields})

    worker_verb.run("score", arguments, backend=backend, progress=tell)
    return json.loads(out.read_text())


def _other_backend(backend: str) -> str:
    """Return an installed backend beside the one that trained, or that one where it is alone."""
    return next((name for name in installed_backends() if name != backend), backend)


def _told_by_training(events: list[dict], precision: str) -> dict | None:
    """Return the published model's metrics as the training process measured them.

    None where it measured in bfloat16: the published model computes in float32.
    """
    finished = last_event(events, "finished") or {}
    if finished.get("metrics"):
        return finished["metrics"]
    step = (last_event(events, "published") or {}).get("step")  # journals of before do not tell it
    evaluation = last_event([e for e in events if step in (None, e.get("step"))], "evaluation")
    if evaluation is None or precision != "float32":
        return None
    return {key.removeprefix("val/"): value for key, value in evaluation["metrics"].items()}


def _differences(reference: Mapping, scores: Mapping) -> list[str]:
    """Return, as sentences, the metrics that differ by more than `TOLERANCE`."""
    return [
        f"{key} is {scores[key]:.6f} where {value:.6f} was to be expected"
        for key, value in reference.items()
        if isinstance(value, float | int) and key in scores
        if not abs(scores[key] - value) <= TOLERANCE * max(1.0, abs(value))
    ]


def _found_the_same(measure: Callable[..., dict], config: Config, folder: RunFolder) -> bool:
    """Whether the boxes are the same on the backend that trained, though they score otherwise."""
    out, there = (
        folder.path / f"{what}_{config.backend}.json" for what in ("scores", "predictions")
    )
    measure(folder.model, backend=config.backend, out=out, predictions=there)
    first, second = (json.loads(path.read_text()) for path in (folder.predictions, there))
    rows = [*first, *second]
    boxes = bool(rows) and all("bbox" in row for row in rows)
    return boxes and agreement(first, second) >= AGREEMENT
