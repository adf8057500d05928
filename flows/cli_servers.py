"""The commands about servers: `zoo up` starts them here, `zoo deploy` tells one what to run."""

from pathlib import Path
from typing import Annotated

import typer

Pool = Annotated[str, typer.Option(help="The work pool that runs wait in.")]
PrefectFile = Annotated[Path, typer.Option(metavar="FILE", help="Where deployments are described.")]
_HOME = Path("mlruns")


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
