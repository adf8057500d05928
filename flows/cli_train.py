"""The command `zoo train`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import Backend, Json, print_json


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
    print_json(dataclasses.asdict(summary)) if as_json else show_summary(summary)
