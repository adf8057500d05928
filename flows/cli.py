"""The `zoo` command.

It starts fast, because every command imports what it needs itself, and nothing here imports Keras:
models compute in worker processes. Results go to stdout, everything else to stderr. Exit codes:
0 done, 1 failure, 2 the user's mistake (a line each), 130 interrupted.
"""

import dataclasses
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from flows import (
    cli_data,
    cli_doctor,
    cli_export,
    cli_fan_out,
    cli_import,
    cli_launch,
    cli_registry,
    cli_report,
    cli_serve,
    cli_stylize,
)

app = typer.Typer(
    name="zoo",
    help="Train, evaluate and use computer-vision models on Keras 3.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_HOME = Path("mlruns")
_RESUMABLE = ("train", "reproduce", "stylize", "sweep", "cross-validate", "batch-predict")

Model = Annotated[
    str,
    typer.Argument(help="A .keras file, a run's folder, models:/name@champion, or an export."),
]
Backend = Annotated[
    str | None, typer.Option(help="tensorflow, jax, torch or auto.", show_default="auto")
]
Pool = Annotated[str, typer.Option(help="The work pool that runs wait in.")]
PrefectFile = Annotated[Path, typer.Option(metavar="FILE", help="Where deployments are described.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine, nothing else.")]


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("keras-vision-zoo"))
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that all commands share; `run` has acted on --debug already."""


def list_names(as_json: Json = False) -> None:
    """Show presets, data sources and configs."""
    from flows.catalogue import configs, names
    from flows.config import ConfigError
    from flows.console import show_table

    known = names()
    found = configs(Path("configs"))
    if as_json:
        _print_json(known | {"configs": [str(path) for path, _ in found]})
        return
    show_table(["presets"], [[name] for name in known["presets"]])
    print()
    show_table(["data sources"], [[name] for name in known["data"]])
    print()
    rows = [
        [str(path), "-", "-", "-", str(config).splitlines()[0]]
        if isinstance(config, ConfigError)
        else [str(path), config.model.preset, config.data.name, config.train.epochs, "ok"]
        for path, config in found
    ]
    show_table(["config", "preset", "data", "epochs", "state"], rows)


def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/smoke.yaml.")],
    backend: Backend = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override, as in train.epochs=3."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Train with so many processes, as one would; 0: follow those of a cluster.",
            show_default="1",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Train anew what is done.")] = False,
    if_changed: Annotated[
        bool,
        typer.Option("--if-changed", help="Train anew if config, data, code or weights changed."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train, evaluate, log, register; promote what passes the gate.

    A run that was interrupted goes on where it stopped; one that is done is not done twice.
    """
    from flows.config import load_config
    from flows.run_folder import default_home
    from flows.training_report import show_summary, train_with_report

    spread = []
    if workers is not None:
        spread = ["distribution.kind=multi_worker", f"distribution.workers={workers}"]
    run = load_config(config, [*(assignments or ()), *spread], backend)
    summary = train_with_report(run, again=again, if_changed=if_changed, home=default_home())
    _print_json(dataclasses.asdict(summary)) if as_json else show_summary(summary)


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
    options: cli_data.Options = None,
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
    _print_json(scores) if as_json else show_scores(scores)


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
        _print_json({"out": str(out), **tables, "predictions": rows})
    else:
        show_predictions(tables["images"], out)
    if outcome.mistakes:
        fail("\n".join(outcome.mistakes))
        raise typer.Exit(2)


def up(
    home: Annotated[Path, typer.Option(help="Where runs, databases and logs are kept.")] = _HOME,
    prefect_port: Annotated[int, typer.Option(min=1, max=65535, help="Prefect's.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="MLflow's.")] = 5000,
    pool: Pool = "zoo",
    prefect_file: PrefectFile = Path("prefect.yaml"),
) -> None:
    """Start Prefect, MLflow and a worker here, with the deployments applied; stop on ctrl-C."""
    from flows.up import Place
    from flows.up import up as run_services

    run_services(Place(home.absolute(), prefect_port, mlflow_port, pool, prefect_file))


def deploy(
    pool: Pool = "zoo",
    prefect_file: PrefectFile = Path("prefect.yaml"),
    notify: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Have the server post here what a gate refuses."),
    ] = None,
) -> None:
    """Apply work pool, deployments and automations to the server of PREFECT_API_URL."""
    from flows.deployments import deploy as apply

    for name in apply(pool, prefect_file, notify):
        print(f"deployed  {name}")


# As `zoo --help` shows them: what one does first stands first.
_PANELS: dict[str, dict[str, Callable | typer.Typer]] = {
    "Train": {
        "train": train,
        "sweep": cli_fan_out.sweep,
        "cross-validate": cli_fan_out.cross_validate,
        "reproduce": cli_registry.reproduce,
        "report": cli_report.report,
        "compare": cli_report.compare,
    },
    "Use a model": {
        "evaluate": evaluate,
        "predict": predict,
        "batch-predict": cli_fan_out.batch_predict,
        "serve": cli_serve.serve,
        "export": cli_export.export,
        "benchmark": cli_export.benchmark,
        "import": cli_import.import_model,
        "stylize": cli_stylize.stylize,
    },
    "Choose the champion": {
        "history": cli_registry.history,
        "promote": cli_registry.promote,
        "rollback": cli_registry.rollback,
    },
    "Data, machine, servers": {
        "list": list_names,
        "data": cli_data.app,
        "doctor": cli_doctor.doctor,
        "up": up,
        "deploy": deploy,
        "launch-file": cli_launch.app,
    },
}
for _panel, _commands in _PANELS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line; the console script's entry."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command line and return the exit code; every failure is told in lines on stderr."""
    from typer.exceptions import TyperException

    debug = "--debug" in arguments  # wherever it stands: it is added after a failure
    plain = [argument for argument in arguments if argument != "--debug"]
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")  # of libraries, to their developers
            code = app(plain, prog_name="zoo", standalone_mode=False) or 0
    except TyperException as error:
        return _fail(error.format_message(), 2)
    except Exception as error:
        return _explain(error, debug=debug)
    if code == 130:
        resumes = plain[0] in _RESUMABLE
        resumed = "; the same command goes on where it stopped" if resumes else ""
        return _fail(f"interrupted{resumed}", code)
    return code


def _explain(error: Exception, *, debug: bool) -> int:
    from flows.runtime import UserError

    if isinstance(error, UserError):
        return _fail(str(error), 2)
    if debug:
        import traceback

        traceback.print_exc()
        print(getattr(error, "log", ""), file=sys.stderr)
        return 1
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return _fail(f"{lines[0]} (--debug tells more)", 1)


def _fail(message: str, code: int) -> int:
    from flows.console import fail

    fail(message)
    return code


def _print_json(values: Any) -> None:
    print(json.dumps(values, indent=1, default=str))


if __name__ == "__main__":
    main()
