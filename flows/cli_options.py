"""Options that several commands share, and how results are printed for a machine."""

import json
from typing import Annotated, Any

import typer

Backend = Annotated[
    str | None, typer.Option(help="tensorflow, jax, torch or auto.", show_default="auto")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine, nothing else.")]
Model = Annotated[
    str,
    typer.Argument(help="A .keras file, a run's folder, models:/name@champion, or an export."),
]


def print_json(values: Any) -> None:
    """Print plain values, and as text what is none."""
    print(json.dumps(values, indent=1, default=str))
