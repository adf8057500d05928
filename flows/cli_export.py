"""The commands `zoo export` and `zoo benchmark`: models as programs of other runtimes."""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli_data import Options
from flows.cli_options import Json, print_json
from flows.export_formats import DESCRIPTION
from flows.runtime import UserError

PICTURES = "bananas@val"  # what a program is asked about where no data are named

Model = Annotated[
    str, typer.Argument(help="A .keras file, a run's folder, or models:/name@champion.")
]
Size = Annotated[
    str | None,
    typer.Option(
        "--image-size",
        metavar="SIDE|HxW",
        help="Input of a model that takes any: FCN, fast_style.",
        show_default="as trained",
    ),
]


def export(
    model: Model,
    format: Annotated[
        str, typer.Option(metavar="FORMAT", help="onnx, saved_model, litert, openvino or torch.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write.", show_default="MODEL_FORMAT")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Pictures that the program is tried on, and quantised by.",
            show_default=f"the run's, or {PICTURES}",
        ),
    ] = None,
    options: Options = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures at once.", show_default="1; saved_model: any number"),
    ] = None,
    image_size: Size = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise after training, and tell what that costs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a model, decoder and suppression included, for another runtime.

    The program is opened by its runtime in a fresh process, and kept only if it answers as the
    model does.
    """
    from flows.export_formats import require_format
    from flows.export_pictures import pictures_of
    from flows.model_names import resolve_model
    from flows.worker_process import run_verb

    backend = require_format(format, int8=int8).backend
    file = resolve_model(model)
    spec, of_data = pictures_of(model, data, options)
    if int8 and spec is None:
        raise UserError("--int8 needs --data: pictures like those that the model will see")
    out = out or _beside(model, file, f"{format}_int8" if int8 else format)
    _check_out(out)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        arguments = [f"--format={format}", f"--out={out}", f"--result={result}"]
        arguments += [f"--data={spec or PICTURES}", *of_data, *size_arguments(image_size)]
        arguments += [] if batch is None else [f"--batch={batch}"]
        arguments += ["--int8"] if int8 else []
        run_verb("export", [*arguments, "--", str(file)], backend=backend)
        answer = json.loads(result.read_text())
        if int8:
            assert spec is not None
            answer["metrics"] = _metrics(file, out, spec, of_data, Path(folder), backend)
    print_json(answer) if as_json else _show(answer)


def benchmark(
    model: Model,
    data: Annotated[str, typer.Option(metavar="SPEC", help="Such as bananas or bananas@val.")],
    formats: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Such as onnx,openvino.", show_default="all there are"),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Also quantised, where that is.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Score so many pictures only.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="For each row and thread count.")] = 5.0,
    image_size: Size = None,
    options: Options = None,
    as_json: Json = False,
) -> None:
    """Compare a model's formats with Keras on each backend: latency, memory, size, accuracy.

    Every row is timed in a process of its own, a picture at a time. Nothing is kept.
    """
    from flows.benchmark import Question, measure, show
    from flows.export_formats import available_formats, require_format
    from flows.model_names import resolve_model
    from flows.source_options import worker_arguments

    names = available_formats() if formats is None else formats.split(",")
    for name in names:
        require_format(name)
    question = Question(
        model=resolve_model(model),
        data=data,
        options=worker_arguments(options),
        size=size_arguments(image_size),
        limit=limit,
        seconds=seconds,
    )
    rows = measure(question, names, int8=int8)
    if as_json:
        print_json({"model": model, "data": data, "rows": rows})
    else:
        show(rows, title=f"{model} on {data}")


def size_arguments(text: str | None) -> list[str]:
    """Return the worker's arguments for SIDE or HxW.

    Raises:
        UserError: it is neither.
    """
    if text is None:
        return []
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
        raise UserError(f"--image-size must be a side or HxW, as 512 or 384x512; got {text}")
    return ["--image-size", *(sides * 2)[:2]] if len(sides) == 1 else ["--image-size", *sides]


def _beside(model: str, file: Path, ending: str) -> Path:
    """Return where an export goes: beside the file, of the registry's into this folder."""
    folder = Path() if model.startswith("models:") else file.parent
    return folder / f"{file.stem}_{ending}"


def _check_out(out: Path) -> None:
    """Raise UserError where the export would take the place of anything but an older one."""
    if out.is_dir() and any(out.iterdir()) and not (out / DESCRIPTION).is_file():
        raise UserError(f"--out {out}: is a folder of other things; name one of the export's own")
    if out.is_file():
        raise UserError(f"--out {out}: is a file; an export is a folder")


def _metrics(
    file: Path, out: Path, spec: str, of_data: list[str], folder: Path, backend: str
) -> dict[str, dict[str, Any]]:
    """Return what the model and its quantised program score."""
    from flows.worker_process import run_verb

    metrics = {}
    for name, scored in (("model", file), ("int8", out)):
        written = folder / f"{name}.json"
        arguments = [f"--data={spec}", *of_data, f"--out={written}", "--", str(scored)]
        run_verb("score", arguments, backend=backend)
        metrics[name] = json.loads(written.read_text())["metrics"]
    return metrics


def _show(answer: dict[str, Any]) -> None:
    from flows.console import note, show_table

    if "metrics" not in answer:
        if not answer["compared"]:
            note("nothing was found in the pictures, so little was compared; name some by --data")
        note(f"{answer['told']} ({answer['pictures']} pictures, in its own runtime)")
    else:
        model, int8 = answer["metrics"]["model"], answer["metrics"]["int8"]
        rows = [
            [name, value, int8[name], int8[name] - value]
            for name, value in model.items()
            if isinstance(value, float) and value >= 0
        ]
        show_table(["metric", "model", "int8", "difference"], rows)
    print(f"{answer['out']}  {answer['bytes'] / 2**20:.1f} MiB")
