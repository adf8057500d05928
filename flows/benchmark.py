"""`zoo benchmark`: a model in each format beside Keras on each backend.

Each row is measured in processes of its own. The same network inputs are timed everywhere; AP, mIoU
or top-1 are of the whole way from pictures to results, in pixels of the pictures.
"""

import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flows.console import fail, note, show_table
from flows.export_formats import FORMATS
from flows.program_process import ExportError, ask_program
from flows.runtime import UserError, installed_backends
from flows.worker_process import WorkerError, run_verb

THREADS = {"1 thread": 1, "all threads": None}
_METRICS = ("ap", "miou", "top1")  # of the kinds of models; one of them


@dataclass(frozen=True)
class Question:
    """What is to be compared.

    Attributes:
        model: a .keras file.
        data: SPEC of the pictures.
        options, size: the worker's arguments for the data's options and --image-size.
        limit: how many pictures are scored, or None.
        seconds: how long single answers are timed.
    """

    model: Path
    data: str
    options: list[str]
    size: list[str]
    limit: int | None
    seconds: float


def measure(question: Question, formats: Sequence[str], *, int8: bool) -> list[dict[str, Any]]:
    """Return a row a format and backend; what fails is a row with the reason.

    Args:
        formats: of `FORMATS`; int8: whether also quantised.

    Raises:
        UserError: the model or the data cannot be used.
    """
    wanted = [(name, False) for name in formats]
    wanted += [(name, True) for name in formats if int8 and FORMATS[name].int8]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = [_exported(question, name, folder, int8=quantized) for name, quantized in wanted]
        return [_keras(question, name, folder) for name in installed_backends()] + rows


def _exported(question: Question, format: str, folder: Path, *, int8: bool) -> dict[str, Any]:
    """Write, score and time a format; the network inputs stay in the folder."""
    name = f"{format} int8" if int8 else format
    note(f"{name}: writing")
    out, result = folder / name, folder / f"{name}.json"
    arguments = [f"--format={format}", f"--out={out}", f"--result={result}"]
    arguments += [f"--data={question.data}", *question.options, *question.size]
    arguments += [f"--inputs={folder / 'inputs.npz'}", *(["--int8"] if int8 else [])]
    backend = FORMATS[format].backend
    try:
        run_verb("export", [*arguments, "--", str(question.model)], backend=backend)
        note(f"{name}: timing")
        with np.load(folder / "inputs.npz") as arrays:
            inputs = {key: arrays[key] for key in arrays.files}
        times = {
            column: ask_program(out, inputs, threads=threads, seconds=question.seconds)[1]
            for column, threads in THREADS.items()
        }
        score = _score(question, out, folder, backend)
    except (ExportError, WorkerError) as error:
        fail(f"{name}: {error}")
        return {"name": name, "error": str(error)}
    return _row(name, times, score, size=json.loads(result.read_text())["bytes"])


def _keras(question: Question, backend: str, folder: Path) -> dict[str, Any]:
    name = f"keras {backend}"
    note(f"{name}: timing")
    times = {}
    try:
        for column, threads in THREADS.items():
            written = folder / "times.json"
            arguments = [f"--inputs={folder / 'inputs.npz'}", f"--out={written}"]
            arguments += [f"--seconds={question.seconds}"]
            arguments += [] if threads is None else [f"--threads={threads}"]
            run_verb("time", [*arguments, "--", str(question.model)], backend=backend)
            times[column] = json.loads(written.read_text())
        score = _score(question, question.model, folder, backend)
    except WorkerError as error:
        fail(f"{name}: {error}")
        return {"name": name, "error": str(error)}
    return _row(name, times, score, size=question.model.stat().st_size)


def _score(question: Question, model: Path, folder: Path, backend: str) -> dict[str, Any]:
    written = folder / "scores.json"
    arguments = [f"--data={question.data}", *question.options, f"--out={written}"]
    arguments += [] if question.limit is None else [f"--limit={question.limit}"]
    try:
        run_verb("score", [*arguments, "--", str(model)], backend=backend)
    except UserError as error:  # a style without a lesson, say: its speed is still of interest
        note(f"not scored: {error}")
        return {}
    return json.loads(written.read_text())["metrics"]


def _row(name: str, times: dict, metrics: dict[str, Any], *, size: int) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "bytes": size, "metrics": metrics}
    for column, told in times.items():
        taken = sorted(told["milliseconds"])
        row[column] = {
            "median_ms": statistics.median(taken),
            "p90_ms": taken[int(0.9 * (len(taken) - 1))],
            "answers": len(taken),
            "peak_bytes": told["peak_bytes"],
        }
    return row


def show(rows: Sequence[dict[str, Any]], *, title: str) -> None:
    """Print the table."""
    metric = next((m for row in rows for m in _METRICS if m in row.get("metrics", {})), None)
    columns = ["", *THREADS, "MiB used", "MiB file", *filter(None, [metric])]
    title += ": median ms of a picture (90th percentile)"
    show_table(columns, [_cells(row, metric) for row in rows], title=title)


def _cells(row: dict[str, Any], metric: str | None) -> list[Any]:
    if "error" in row:
        return [row["name"], "failed", *[None] * (len(THREADS) + (2 if metric else 1))]
    times = [f"{row[c]['median_ms']:.1f} ({row[c]['p90_ms']:.1f})" for c in THREADS]
    peak = max(row[column]["peak_bytes"] for column in THREADS)
    cells = [row["name"], *times, round(peak / 2**20), round(row["bytes"] / 2**20, 1)]
    return [*cells, *([row["metrics"].get(metric)] if metric else [])]
