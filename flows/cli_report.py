"""The commands `zoo report` and `zoo compare`: runs as pages, alone and beside one another."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import print_json

_RUN = "A run's folder or its name, an MLflow run id, or models:/name@champion."


def report(
    run: Annotated[str, typer.Argument(help=_RUN)],
    out: Annotated[
        Path | None, typer.Option(help="Where it goes.", show_default="report.html in its folder")
    ] = None,
) -> None:
    """Write a run's report again: one page that opens anywhere, of whatever there is of the run."""
    from flows.report import write_report
    from flows.run_names import resolve_run

    print(write_report(resolve_run(run), out))


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help=_RUN)],
    out: Annotated[Path | None, typer.Option(help="Also write a page with the curves.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for a machine, nothing else.")
    ] = False,
) -> None:
    """Set runs beside one another: figures, differences of their configs, times."""
    from flows import comparison_page
    from flows.comparison import compare as set_beside
    from flows.console import note
    from flows.run_facts import RunFacts
    from flows.run_names import resolve_run
    from flows.runtime import UserError
    from flows.whole_files import write_whole

    if len(runs) < 2:
        raise UserError(f"zoo compare needs two runs or more; got {len(runs)}")
    found = set_beside([RunFacts.read(resolve_run(run)) for run in runs])
    if out is not None:
        write_whole(out, comparison_page.comparison_page(found))
    if as_json:
        print_json(found.plain())
    else:
        comparison_page.show(found)
    if out is not None:
        note(f"wrote {out}")
