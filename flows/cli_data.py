"""The commands `zoo data ...`: data sets, before a model sees them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import Json, print_json
from flows.source_options import HELP, OPTION, worker_arguments

app = typer.Typer(help="Look at data sets, and convert them.", no_args_is_help=True)
Spec = Annotated[
    str, typer.Argument(help="A data set: bananas, bananas@val, voc:DIR or coco:DIR@val.")
]
Options = Annotated[str | None, typer.Option(OPTION, metavar="YAML", help=HELP, show_default=False)]


@app.command()
def check(spec: Spec, options: Options = None, as_json: Json = False) -> None:
    """Count pictures and boxes, find equal pictures, and list every defect with file and line.

    Exit code 0: no defects; 1: some; 2: there is no such data set.
    """
    import tempfile

    from flows.data_report import show_report
    from flows.worker_process import run_verb

    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "report.json"
        arguments = [spec, "--out", str(written), *worker_arguments(options)]
        run_verb("check", arguments, backend="tensorflow")
        report = json.loads(written.read_text(encoding="utf-8"))
    print_json(report) if as_json else show_report(report)
    if report["defects"]:
        raise typer.Exit(1)


@app.command()
def show(
    spec: Spec,
    augment: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="Such as ssd, or a list of steps as configs have it."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=400, help="How many pictures to draw.")] = 16,
    image_size: Annotated[int, typer.Option(min=32, max=4096, help="The network's input.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of the augmentation.")] = 0,
    options: Options = None,
    out: Annotated[Path, typer.Option(help="The sheet, a PNG or JPEG.")] = Path("sheet.png"),
) -> None:
    """Draw samples with their boxes, as training sees them.

    With --augment, each row holds a picture as it is stored and three augmented versions of it.
    """
    from flows.config_augment import read_augment
    from flows.worker_process import run_verb

    steps = [] if augment is None else read_augment(augment, option="--augment")
    values = {"augment": json.dumps(steps), "count": count, "image-size": image_size, "seed": seed}
    arguments = [f"--{name}={value}" for name, value in values.items()]
    arguments += worker_arguments(options)
    run_verb("show", [*arguments, f"--out={out}", "--", spec], backend="tensorflow")
    print(out)


@app.command()
def convert(
    spec: Spec,
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    on_defect: Annotated[
        str, typer.Option(metavar="stop|skip", help="What to do where the data have defects.")
    ] = "stop",
    limit: Annotated[int | None, typer.Option(min=1, help="So many pictures a split only.")] = None,
    options: Options = None,
) -> None:
    """Write a data set, or one split of it, as COCO JSON with its pictures."""
    from flows.worker_process import run_verb

    arguments = [f"--on-defect={on_defect}", f"--out={out}"]
    arguments += [] if limit is None else [f"--limit={limit}"]
    arguments += worker_arguments(options)
    run_verb("convert", [*arguments, "--", spec], backend="tensorflow")
    print(out)
