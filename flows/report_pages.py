"""A run's report and its pages in Prefect and MLflow, each with the way to the others.

What a report tells of the run's origin is kept at its start, while it is known: the commit, the
versions, and the addresses of its pages. As with all pages, a report that cannot be written is a
warning and never the end of a run.
"""

import importlib.metadata
from pathlib import Path

from mlflow.tracking import MlflowClient
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows import provenance
from flows.report import write_report
from flows.run_folder import ORIGIN, RunFolder
from flows.run_pages import artifact_key, harmless, mlflow_page, prefect_page
from flows.summary import RunSummary
from flows.tracking_store import read_state
from flows.whole_files import write_json

_PACKAGES = ("keras", "tensorflow", "numpy", "pillow", "pycocotools", "prefect", "mlflow")
_REPORT_TAG = "report"  # of the MLflow run: the artifact's name


def note_origin(folder: RunFolder, uri: str, run_id: str) -> None:
    """Keep where a run comes from and where its pages are, for its report."""
    with harmless("the run's origin"):
        links = {
            f"Prefect flow run {flow_run.name}": prefect_page(),
            f"MLflow run {run_id}": mlflow_page(uri, run_id),
        }
        origin = {
            "git_commit": provenance.git_commit(),
            "machine": provenance.machine(),
            "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "links": {text: address for text, address in links.items() if address},
        }
        write_json(folder.report_data / ORIGIN, origin, indent=1)


def publish(folder: RunFolder, summary: RunSummary) -> None:
    """Write a finished run's report, log it to MLflow and link it from Prefect's page."""
    with harmless("the report"):
        written = _log(folder, summary.tracking_uri, summary.mlflow_run_id)
        create_markdown_artifact(
            _way_to(written, summary.tracking_uri, summary.mlflow_run_id),
            key=artifact_key(summary.name, "report"),
            description="everything of the run on one page",
        )


def publish_unfinished(folder: RunFolder, uri: str) -> None:
    """Write the report of a run that failed or was stopped, and log it to MLflow."""
    with harmless("the report"):
        _log(folder, uri, read_state(folder)["run_id"])


def _log(folder: RunFolder, uri: str, run_id: str) -> Path:
    written = write_report(folder, ended=True)
    client = MlflowClient(tracking_uri=uri)
    client.log_artifact(run_id, str(written))
    client.set_tag(run_id, _REPORT_TAG, written.name)
    return written


def _way_to(written: Path, uri: str, run_id: str) -> str:
    """Return, in Markdown, where the report is: in MLflow where that has pages, and on the disk."""
    page = mlflow_page(uri, run_id)
    place = f"On the disk: `{written}`"
    if page is None:
        return place
    return (
        f"[{written.name}]({page}/artifacts/{written.name}) in [MLflow run {run_id}]({page})\n\n"
        f"{place}"
    )
