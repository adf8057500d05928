"""The commands about registered models: `zoo promote`, `rollback`, `history`, `reproduce`."""

import dataclasses
import os
from typing import Annotated

import typer

from flows.cli_options import Json, print_json

Reason = Annotated[str, typer.Option(help="Why; it is kept with the model.")]
Name = Annotated[str, typer.Argument(help="A registered model, such as smoke.")]


def promote(
    model: Annotated[str, typer.Argument(help="models:/NAME/3 or models:/NAME@challenger.")],
    reason: Reason,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also what its gate has refused.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a registered version the champion by hand."""
    succession, home = _opened()
    _show([succession.promote(model, reason=reason, anyway=anyway, home=home)], as_json)


def rollback(
    name: Name,
    reason: Reason,
    to: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="A champion of before.", show_default="the last one"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the champion of before the champion again."""
    succession, home = _opened()
    _show([succession.roll_back(name, to=to, reason=reason, home=home)], as_json)


def history(name: Name, as_json: Json = False) -> None:
    """Show who was the champion, from when to when, and why."""
    succession, home = _opened()
    _show(succession.history(name, home), as_json)


def reproduce(
    run: Annotated[
        str, typer.Argument(help="A run's folder or its name, MLflow's id, or models:/NAME/3.")
    ],
    as_json: Json = False,
) -> None:
    """Train a recorded run again: the same metrics, or the first difference.

    Exits with 1 where the final metrics are not the same.
    """
    home = _prepared()
    from flows.console import Bar
    from flows.reproduction import reproduce as again
    from flows.training_report import Progress

    with Bar("looking at the data") as bar:
        told = again(run, home, Progress(bar))
    if as_json:
        print_json(dataclasses.asdict(told))
    else:
        _show_reproduction(told)
    if not told.same:
        raise typer.Exit(1)


def _show_reproduction(told) -> None:
    from flows.console import show_table

    rows = [[name, was, now] for name, (was, now) in told.final.items() if was >= 0]
    show_table(["metric", "recorded", "now"], rows, title=f"{told.name}, trained again")
    print()
    for line in told.environment:
        print(f"other than then: {line}")
    first = told.first_difference
    if first is None:
        print(f"every one of {told.compared} points is the same")
    else:
        print(
            f"first difference of {told.compared} points: {first.metric} at step {first.step}, "
            f"{first.recorded!r} then, {first.now!r} now"
        )
    print("the final metrics are the same" if told.same else "the final metrics are NOT the same")


def _prepared():
    """Prepare the process for MLflow; return the home."""
    from flows.run_folder import default_home
    from flows.runtime import controller_environment

    os.environ.update(controller_environment())
    return default_home()


def _opened():
    """Return what decides on champions, and the home."""
    home = _prepared()
    from flows import succession

    return succession, home


def _show(reigns, as_json: bool) -> None:
    from flows.console import show_table

    if as_json:
        print_json([dataclasses.asdict(reign) for reign in reigns])
        return
    rows = [[r.version, r.since, r.until or "now", r.by, r.why] for r in reigns]
    show_table(["version", "champion from", "to", "by", "why"], rows)
