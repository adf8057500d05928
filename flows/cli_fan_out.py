"""The commands that work on Ray: `zoo sweep`, `zoo cross-validate`, `zoo batch-predict`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import Backend, Json, print_json

Address = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT|ray://HOST:PORT",
        help="A Ray cluster to join.",
        show_default="one of its own, on this machine",
    ),
]
Concurrent = Annotated[
    int | None,
    typer.Option(min=1, help="At once, at most.", show_default="as the nodes have room for"),
]
Cpus = Annotated[float, typer.Option(min=0.01, help="That each asks of a node.")]
Gpus = Annotated[float, typer.Option(min=0.0, help="That each asks of a node, and sees.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override, as in trials=4."),
]


def sweep(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/sweeps/smoke.yaml.")],
    assignments: Assignments = None,
    backend: Backend = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many in all.", show_default="the file's")
    ] = None,
    concurrent: Concurrent = None,
    address: Address = None,
    again: Annotated[bool, typer.Option("--again", help="Begin another study.")] = False,
    as_json: Json = False,
) -> None:
    """Vary a config's keys over many trainings; register the best as the challenger.

    A sweep that was interrupted goes on where it stopped, its trials from their checkpoints; with
    more --trials one that is done goes on as well.
    """
    from flows.fan_out import require_ray
    from flows.fan_out_report import show_members, sweep_with_report
    from flows.run_folder import default_home
    from flows.sweep_config import load_sweep

    require_ray()
    wanted = load_sweep(
        config, assignments or (), trials=trials, concurrent=concurrent, backend=backend
    )
    summary = sweep_with_report(wanted, address=address, again=again, home=default_home())
    print_json(dataclasses.asdict(summary)) if as_json else show_members(summary)


def cross_validate(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/smoke.yaml.")],
    folds: Annotated[int, typer.Option(min=2, help="How many parts.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Deals the records.")] = 0,
    assignments: Assignments = None,
    backend: Backend = None,
    cpus: Cpus = 1.0,
    gpus: Gpus = 0.0,
    concurrent: Concurrent = None,
    address: Address = None,
    again: Annotated[bool, typer.Option("--again", help="Train anew what is done.")] = False,
    as_json: Json = False,
) -> None:
    """Train a model for each fold of the training records; tell mean and deviation.

    The records of split `train` are dealt into folds; each model validates on one and learns from
    the others. What is interrupted goes on where it stopped.
    """
    from flows.config import load_config
    from flows.fan_out import Resources, require_ray
    from flows.fan_out_report import folds_with_report, show_members
    from flows.run_folder import default_home

    require_ray()
    summary = folds_with_report(
        load_config(config, assignments or (), backend),
        folds=folds,
        seed=seed,
        resources=Resources(cpus=cpus, gpus=gpus),
        concurrent=concurrent,
        address=address,
        again=again,
        home=default_home(),
    )
    print_json(dataclasses.asdict(summary)) if as_json else show_members(summary)


def batch_predict(
    model: Annotated[
        str, typer.Argument(help="A .keras file, a run's folder, or models:/name@champion.")
    ],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Pictures, folders with those inside, globs, or manifests: .txt, a path a line.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder for the results.")],
    shard_size: Annotated[int, typer.Option(min=1, help="Pictures a process.")] = 256,
    min_score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Leave out objects that score less.")
    ] = 0.25,
    backend: Backend = None,
    cpus: Cpus = 1.0,
    gpus: Gpus = 0.0,
    concurrent: Concurrent = None,
    address: Address = None,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Ask again for what could not be answered.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell what very many pictures show, in shards; each picture counts once.

    Writes predictions.json (COCO results), images.json, predictions.parquet, and rejected.json:
    what could not be answered, with the reason. The same command goes on with what is missing.
    """
    from flows.fan_out import Resources, require_ray
    from flows.fan_out_report import batch_with_report, show_batch
    from flows.model_names import resolve_model
    from flows.run_folder import default_home
    from flows.shards import list_pictures

    require_ray()
    resolve_model(model)
    list_pictures(sources, out)
    summary = batch_with_report(
        model,
        sources,
        out=out,
        shard_size=shard_size,
        min_score=min_score,
        backend=backend or "auto",
        resources=Resources(cpus=cpus, gpus=gpus),
        concurrent=concurrent,
        address=address,
        retry_rejected=retry_rejected,
        home=default_home(),
    )
    print_json(summary) if as_json else show_batch(summary)
