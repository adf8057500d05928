"""Batch prediction: folders and manifests of any size, answered in shards on Ray.

`flows.batching` does the work; a flow that sends tasks to Ray is pickled with each of them, so this
one names nothing but what a node can import.
"""

from pathlib import Path
from typing import Any

import flows.train  # noqa: F401  first: it sets the process up for Prefect and MLflow

from prefect import flow  # isort: skip

from flows import batching
from flows.embedded import prefect_server
from flows.fan_out import Resources, require_ray
from flows.model_names import resolve_model
from flows.run_folder import default_home
from flows.runtime import refuse_launcher


@flow(name="batch-predict", flow_run_name="{model}")
def batch_predict(
    model: str,
    sources: list[str],
    out: Path,
    shard_size: int = 256,
    min_score: float = 0.25,
    backend: str = "auto",
    resources: Resources = Resources(),  # noqa: B008  frozen
    concurrent: int | None = None,
    address: str | None = None,
    retry_rejected: bool = False,
) -> dict[str, Any]:
    """Answer pictures with a model and write COCO results and Parquet, each picture once.

    Args:
        model: a `.keras` file, a run's folder, or models:/name@champion.
        sources: pictures, folders with those inside, globs, manifests.
        out: the folder for the results.
        shard_size: pictures a process.
        min_score: of a detector's objects.
        backend: tensorflow, jax, torch or auto: the best on the node.
        resources: what each process asks of a node.
        concurrent: processes at once; None: as many as there is room for.
        address: of a Ray cluster; by default what RAY_ADDRESS names, else one of its own.
        retry_rejected: ask again for what could not be answered.
    """
    return batching.predict_pictures(
        resolve_model(model).absolute(),
        sources,
        out.absolute(),
        shard_size=shard_size,
        min_score=min_score,
        backend=backend,
        resources=resources,
        most=concurrent,
        address=address,
        retry_rejected=retry_rejected,
    )


def run(
    model: str,
    sources: list[str],
    *,
    out: Path,
    progress: batching.Progress = lambda event: None,
    home: Path | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Run the flow with Prefect's server where one is named, else with an embedded one.

    Args:
        progress: gets {"kind": "station", "name"} and {"kind": "answered", "done", "total",
            "slots", "pictures_per_second"}.
        home: of the embedded server.
        **options: of the flow.
    """
    require_ray()
    refuse_launcher("zoo batch-predict")
    token = batching.progress.set(progress)
    try:
        progress({"kind": "station", "name": "starting Prefect"})
        with prefect_server(default_home() if home is None else home):
            return batch_predict(model, sources, out, **options)
    finally:
        batching.progress.reset(token)
