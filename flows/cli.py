"""The `zoo` command.

It starts fast, because every command imports what it needs itself, and nothing here imports Keras:
models compute in worker processes. Results go to stdout, everything else to stderr. Exit codes:
0 done, 1 failure, 2 the user's mistake (a line each), 130 interrupted.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

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
    cli_servers,
    cli_stylize,
    cli_train,
    cli_use,
)
from flows.cli_options import Json, print_json

app = typer.Typer(
    name="zoo",
    help="Train, evaluate and use computer-vision models on Keras 3.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_RESUMABLE = ("train", "reproduce", "stylize", "sweep", "cross-validate", "batch-predict")


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
        print_json(known | {"configs": [str(path) for path, _ in found]})
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


# As `zoo --help` shows them: what one does first stands first.
_PANELS: dict[str, dict[str, Callable | typer.Typer]] = {
    "Train": {
        "train": cli_train.train,
        "sweep": cli_fan_out.sweep,
        "cross-validate": cli_fan_out.cross_validate,
        "reproduce": cli_registry.reproduce,
        "report": cli_report.report,
        "compare": cli_report.compare,
    },
    "Use a model": {
        "evaluate": cli_use.evaluate,
        "predict": cli_use.predict,
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
        "up": cli_servers.up,
        "deploy": cli_servers.deploy,
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


if __name__ == "__main__":
    main()
