"""The commands that ask a model: `zoo evaluate` and `zoo predict`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_data import Options
from flows.cli_options import Backend, Json, Model, print_json


def evaluate(
    model: Model,
    data: Annotated[str, typer.Option(metavar="SPEC", help="Such as bananas or bananas@val.")],
    against: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Is it better than this one?")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What --against goes by.", show_default="ap50, miou or top1")
    ] = None,
    backend: Backend = None,
    on_defect: Annotated[
        str, typer.Option(metavar="stop|skip", help="What to do where the data have defects.")
    ] = "stop",
    limit: Annotated[int | None, typer.Option(min=1, help="Take so many pictures only.")] = None,
    options: Options = None,
    out: Annotated[Path | None, typer.Option(help="Also write the scores here, JSON.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Also write the detections here, COCO results.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a model on a split of data, beside what answers "nothing" everywhere."""
    import tempfile

    from flows.model_names import backend_of, resolve_model
    from flows.result_tables import show_scores
    from flows.source_options import worker_arguments
    from flows.worker_process import run_verb

    arguments = [str(resolve_model(model, exports=True)), "--data", data, "--on-defect", on_defect]
    arguments += worker_arguments(options)
    if metric is not None:
        arguments += ["--metric", metric]
    if against is not None:
        arguments += ["--against", str(resolve_model(against, exports=True))]
    if limit is not None:
        arguments += ["--limit", str(limit)]
    if predictions is not None:
        arguments += ["--predictions", str(predictions)]
    with tempfile.TemporaryDirectory() as folder:
        written = out or Path(folder) / "scores.json"
        name = backend or backend_of(model)
        run_verb("score", [*arguments, "--out", str(written)], backend=name)
        scores = json.loads(written.read_text()) | {"model": model}
    print_json(scores) if as_json else show_scores(scores)


def predict(
    model: Model,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Pictures, videos, folders or globs.")
    ],
    out: Annotated[Path, typer.Option(help="The folder for the results.")] = Path("predictions"),
    min_score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Leave out objects that score less.")
    ] = 0.25,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Tell what pictures show: objects, classes, or the class of every pixel.

    Writes annotated copies, predictions.json (COCO results) and images.json.
    """
    from flows.console import fail
    from flows.inputs import find_inputs
    from flows.model_names import backend_of, resolve_model
    from flows.result_tables import show_predictions
    from flows.worker_process import run_verb

    find_inputs(sources, out)
    file = str(resolve_model(model, exports=True))
    options = ["--out", str(out), "--min-score", str(min_score)]
    name = backend or backend_of(model)
    outcome = run_verb("predict", [*options, "--", file, *sources], backend=name)
    tables = json.loads((out / "images.json").read_text())
    if as_json:
        rows = json.loads((out / "predictions.json").read_text())
        print_json({"out": str(out), **tables, "predictions": rows})
    else:
        show_predictions(tables["images"], out)
    if outcome.mistakes:
        fail("\n".join(outcome.mistakes))
        raise typer.Exit(2)
