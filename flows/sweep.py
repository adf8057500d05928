"""The sweep: trainings that vary a config, on Ray; the best becomes the challenger.

`flows.sweeping` does the work; a flow that sends tasks to Ray is pickled with each of them, so this
one names nothing but what a node can import.
"""

from pathlib import Path

import flows.train  # noqa: F401  first: it sets the process up for Prefect and MLflow

from prefect import flow  # isort: skip
from prefect.runtime import flow_run  # isort: skip

from flows import catalogue, sweep_trials, sweeping
from flows.embedded import prefect_server
from flows.fan_out import require_ray
from flows.run_folder import default_home
from flows.runtime import refuse_launcher
from flows.sweep_config import Sweep
from flows.sweep_summary import SweepSummary


@flow(name="sweep", flow_run_name="{sweep.name}")
def sweep(
    sweep: Sweep, address: str | None = None, again: bool = False, home: Path | None = None
) -> SweepSummary:
    """Train what the sweep asks for and register the best as the challenger.

    Args:
        sweep: what is varied.
        address: of a Ray cluster; by default what RAY_ADDRESS names, else one of its own.
        again: begin another study where there is one.
        home: where runs are kept; by default what ZOO_HOME names, else mlruns.
    """
    home = default_home() if home is None else home.absolute()
    catalogue.check_preset(sweep.base)
    return sweeping.run_sweep(sweep, home, address=address, again=again, flow_run=flow_run.id)


def run(
    wanted: Sweep,
    *,
    address: str | None = None,
    again: bool = False,
    home: str | Path = "mlruns",
    progress: sweep_trials.Progress = lambda event: None,
) -> SweepSummary:
    """Run the flow with Prefect's server where one is named, else with an embedded one.

    Args:
        progress: gets {"kind": "station", "name"}, {"kind": "trial", "state", "number", ...} and
            {"kind": "progress", "number", "event", "done", "total"}, an event of a trial's journal.

    Raises:
        UserError: the sweep cannot be run here.
        WorkerError, TrackingError, ServerError: what failed; the same call goes on from there.
    """
    require_ray()
    refuse_launcher("zoo sweep")
    home = Path(home).absolute()
    token = sweep_trials.progress.set(progress)
    try:
        progress({"kind": "station", "name": "starting Prefect"})
        with prefect_server(home):
            return sweep(wanted, address=address, again=again, home=home)
    finally:
        sweep_trials.progress.reset(token)
