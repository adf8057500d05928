"""Cross-validation: K trainings on Ray, each validated on a fold of the training records.

`flows.folding` does the work; a flow that sends tasks to Ray is pickled with each of them, so this
one names nothing but what a node can import.
"""

from pathlib import Path

import flows.train  # noqa: F401  first: it sets the process up for Prefect and MLflow

from prefect import flow  # isort: skip
from prefect.runtime import flow_run  # isort: skip

from flows import catalogue, folding
from flows.config import Config, resolve_config
from flows.embedded import prefect_server
from flows.fan_out import Resources, require_ray
from flows.fold_summary import FoldsSummary
from flows.run_folder import default_home
from flows.runtime import UserError, refuse_launcher


@flow(name="cross-validate", flow_run_name="{config.name}")
def cross_validate(
    config: Config,
    folds: int = 5,
    seed: int = 0,
    resources: Resources = Resources(),  # noqa: B008  frozen
    concurrent: int | None = None,
    address: str | None = None,
    again: bool = False,
    home: Path | None = None,
) -> FoldsSummary:
    """Train a model a fold and tell the mean and the deviation of their figures.

    Args:
        config: what to train; without a fold.
        folds: how many, >= 2.
        seed: deals the records.
        resources: what each training asks of a node.
        concurrent: trainings at once; None: as many as there is room for.
        address: of a Ray cluster; by default what RAY_ADDRESS names, else one of its own.
        again: train anew what is done.
        home: where runs are kept; by default what ZOO_HOME names, else mlruns.
    """
    home = default_home() if home is None else home.absolute()
    catalogue.check_preset(config)
    return folding.validate_folds(
        resolve_config(config),
        folds,
        seed,
        home,
        resources=resources,
        most=concurrent,
        address=address,
        again=again,
        flow_run=flow_run.id,
    )


def run(
    config: Config,
    *,
    home: str | Path = "mlruns",
    progress: folding.Progress = lambda event: None,
    **options,
) -> FoldsSummary:
    """Run the flow with Prefect's server where one is named, else with an embedded one.

    Args:
        progress: as `flows.sweep.run` has it, a fold in the place of a trial.
        **options: of the flow.

    Raises:
        UserError: the config cannot be cross-validated.
        WorkerError, TrackingError, ServerError: what failed; the same call goes on from there.
    """
    require_ray()
    refuse_launcher("zoo cross-validate")
    if config.data.fold is not None:
        raise UserError(
            "data.fold is set: cross-validation gives each training its own; leave it out"
        )
    home = Path(home).absolute()
    token = folding.progress.set(progress)
    try:
        progress({"kind": "station", "name": "starting Prefect"})
        with prefect_server(home):
            return cross_validate(config, home=home, **options)
    finally:
        folding.progress.reset(token)
