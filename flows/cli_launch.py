"""The commands `zoo launch-file ...`: what a cluster needs to start a training, on stdout."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import print_json

app = typer.Typer(
    help="Write what Kubernetes, SLURM or a Prefect pool starts a training with, to stdout.",
    no_args_is_help=True,
)

Config = Annotated[Path, typer.Argument(help="A YAML file, such as configs/smoke.yaml.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override, as in train.epochs=3."),
]
Backend = Annotated[str | None, typer.Option(help="tensorflow, jax or torch.")]
Image = Annotated[str, typer.Option(help="Has Python, zoo and the backend.")]
Claim = Annotated[str, typer.Option(help="A ReadWriteMany volume claim, for runs and data.")]
Mount = Annotated[str, typer.Option(help="Where the claim is mounted.")]
Pods = Annotated[int, typer.Option("--workers", min=1, help="Pods.")]
Gpus = Annotated[int, typer.Option(min=0, help="Of each.")]
Cpus = Annotated[int, typer.Option(min=1, help="Cores of each.")]
Memory = Annotated[int, typer.Option(min=1, help="Of each, GiB.")]
Restarts = Annotated[int, typer.Option(min=0, help="How often a group that died starts again.")]
Mlflow = Annotated[
    str | None, typer.Option(metavar="URI", help="Add a job that follows the run into MLflow.")
]


@app.command()
def kubernetes(
    config: Config,
    workers: Pods,
    image: Image,
    claim: Claim,
    backend: Backend = None,
    assignments: Assignments = None,
    gpus: Gpus = 0,
    cpus: Cpus = 4,
    memory: Memory = 8,
    mount: Mount = "/zoo",
    mlflow: Mlflow = None,
    restarts: Restarts = 3,
    jobset: Annotated[
        bool, typer.Option("--jobset", help="A JobSet, where the cluster has that add-on.")
    ] = False,
) -> None:
    """Write an Indexed Job with its headless Service and the config, for `kubectl apply -f -`.

    When a pod dies, its peers notice it, end, and are replaced too; a JobSet replaces all at once.
    """
    from flows.launch import prepare
    from flows.launch_kubernetes import render_job, render_jobset

    launch = prepare(
        config,
        assignments or (),
        backend,
        nodes=workers,
        gpus=gpus,
        cpus=cpus,
        memory=memory,
        home=f"{mount}/mlruns",
        restarts=restarts,
    )
    render = render_jobset if jobset else render_job
    print(render(launch, image=image, claim=claim, mount=mount, mlflow=mlflow), end="")


@app.command()
def slurm(
    config: Config,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")],
    home: Annotated[str, typer.Option(help="Where runs are kept, a folder that all nodes see.")],
    backend: Backend = None,
    assignments: Assignments = None,
    gpus: Gpus = 0,
    cpus: Cpus = 4,
    memory: Memory = 8,
    setup: Annotated[
        str, typer.Option(metavar="SHELL", help="As in 'source ~/zoo/.venv/bin/activate'.")
    ] = "",
    sbatch: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="As in partition=gpu.")
    ] = None,
    restarts: Restarts = 3,
) -> None:
    """Write a script for sbatch, which starts a process a device by srun."""
    from flows.launch import prepare
    from flows.launch_slurm import render_script

    launch = prepare(
        config,
        assignments or (),
        backend,
        nodes=nodes,
        gpus=gpus,
        cpus=cpus,
        memory=memory,
        home=home,
        restarts=restarts,
    )
    print(render_script(launch, setup=setup, directives=sbatch or ()), end="")


@app.command("work-pool")
def work_pool(
    image: Image,
    claim: Claim,
    backend: Annotated[str, typer.Option(help="tensorflow, jax or torch.")] = "torch",
    gpus: Gpus = 0,
    cpus: Cpus = 4,
    memory: Memory = 8,
    mount: Mount = "/zoo",
    mlflow: Annotated[str | None, typer.Option(metavar="URI", help="The tracking server.")] = None,
) -> None:
    """Write a base job template, for `prefect work-pool create --type kubernetes`.

    What is given here is what a deployment's job_variables may change.
    """

    from flows.launch_pool import render_template

    template = render_template(
        image=image,
        claim=claim,
        mount=mount,
        backend=backend,
        mlflow=mlflow,
        cpus=cpus,
        memory=memory,
        gpus=gpus,
    )
    print_json(template)
