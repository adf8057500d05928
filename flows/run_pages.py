"""A run's two pages, Prefect's and MLflow's: the same facts on both, and links between them.

On Prefect's page they are artifacts: how far the training is, the metrics, pictures with what was
found on them, the summary. On MLflow's they are metrics, samples, tags and the description. A page
that cannot be written is a warning in the log and never the end of a training.
"""

import base64
import io
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from flows.embedded import server_has_pages
from flows.figures import scalars
from flows.journal import read_journal
from flows.retraining import Changed
from flows.run_folder import RunFolder
from flows.skipped import Skipped
from flows.summary import RunSummary
from flows.tracking_events import legal_key
from flows.verification import Evidence

REFRESH_SECONDS = 5.0  # between two movements of the progress bar, a request each
_PICTURE_WIDTH = 320  # pixels; four of them stay below 100 kB
_DESCRIPTION = "mlflow.note.content"  # the tag that MLflow shows as a run's description

logger = logging.getLogger(__name__)


class ProgressArtifact:
    """The bar of a training on Prefect's page.

    Args:
        name: the model's.
    """

    def __init__(self, name: str) -> None:
        self._key = artifact_key(name, "progress")
        self._id: Any = None
        self._steps = 0
        self._quiet_until = 0.0

    def __call__(self, event: dict) -> None:
        """Take one event of the journal."""
        if event["kind"] == "started" and event["parameters"]:
            values = event["parameters"]
            epochs, batch = values["train"]["epochs"], values["data"]["batch_size"]
            self._steps = epochs * (event["train_size"] // batch)
        elif event["kind"] == "step" and self._steps and time.monotonic() >= self._quiet_until:
            self._show(100.0 * event["step"] / self._steps, f"training, epoch {event['epoch']}")
        elif event["kind"] == "finished":
            self._show(100.0, "trained")

    def _show(self, percent: float, what: str) -> None:
        self._quiet_until = time.monotonic() + REFRESH_SECONDS
        with harmless("the progress artifact"):
            if self._id is None:
                self._id = create_progress_artifact(percent, key=self._key, description=what)
            else:
                update_progress_artifact(self._id, percent, description=what)


def link_pages(name: str, uri: str, run_id: str) -> None:
    """Link Prefect's page and MLflow's, at the start of a training or when it goes on."""
    with harmless("the links between the pages"):
        client = MlflowClient(tracking_uri=uri)
        client.set_tag(run_id, "prefect_flow_run", flow_run.id)
        if url := prefect_page():
            client.set_tag(run_id, "prefect_url", url)
            client.set_tag(run_id, _DESCRIPTION, _prefect_link())
        if page := mlflow_page(uri, run_id):
            create_link_artifact(
                page, link_text=f"MLflow run {run_id}", key=artifact_key(name, "mlflow")
            )


def log_verified(run_id: str, evidence: Evidence) -> None:
    """Log to the MLflow run what the published file scores, and what answering nothing does."""
    now = int(time.time() * 1000)
    told = {"verified": evidence.metrics, "trivial": evidence.trivial, "test": evidence.test or {}}
    entities = [
        Metric(legal_key(f"{folder}/{name}"), value, now, 0)
        for folder, values in told.items()
        for name, value in scalars(values).items()
    ]
    MlflowClient().log_batch(run_id, metrics=entities)


def log_file(run_id: str, file: Path) -> None:
    """Log a file to the MLflow run, where there is one."""
    if file.exists():
        MlflowClient().log_artifact(run_id, str(file))


def show_news(name: str, found: Changed | Skipped) -> None:
    """Put on Prefect's page what changed since the champion, or that nothing did."""
    with harmless("the artifact of the data"):
        skipped = isinstance(found, Skipped)
        create_markdown_artifact(
            f"Skipped: {found.reason}." if isinstance(found, Skipped) else found.markdown(),
            key=artifact_key(name, "data"),
            description="nothing to train" if skipped else "the data, beside the champion's",
        )


def show_result(summary: RunSummary) -> None:
    """Put a run's end on both pages."""
    folder, name = RunFolder(summary.run_dir), summary.name
    text = facts_table(summary)
    with harmless("MLflow's description"):
        client = MlflowClient(tracking_uri=summary.tracking_uri)
        described = "\n\n".join(filter(None, (text, _prefect_link())))
        client.set_tag(summary.mlflow_run_id, _DESCRIPTION, described)
    with harmless("the artifacts"):
        create_table_artifact(
            metrics_table(summary),
            key=artifact_key(name, "metrics"),
            description=f"{summary.model_uri}, scored in a fresh process on {summary.verified_on}",
        )
        if pictures := _samples(folder):
            create_markdown_artifact(
                "\n".join(_inline(picture) for picture in pictures),
                key=artifact_key(name, "samples"),
                description="held-out pictures with what was found on them",
            )
        create_markdown_artifact(
            text, key=artifact_key(name, "summary"), description="what the run came to"
        )


def facts_table(summary: RunSummary) -> str:
    """Return the facts as a table in Markdown."""
    rows = [f"| {topic} | {fact.replace('|', '/')} |" for topic, fact in summary.facts()]
    return "\n".join([f"| {summary.model_uri} | |", "|---|---|", *rows])


def metrics_table(summary: RunSummary) -> list[dict[str, Any]]:
    """Return a row a metric, the classes' AP included."""
    trivial, test = scalars(summary.trivial), scalars(summary.test or {})
    return [
        {"metric": name, "model": round(value, 6), "answering nothing": trivial.get(name)}
        | ({"on the test split": round(test.get(name, 0.0), 6)} if test else {})
        for name, value in scalars(summary.metrics).items()
    ]


def artifact_key(name: str, what: str) -> str:
    """Return a key as Prefect wants it: small letters, digits and dashes."""
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{what}"


def prefect_page() -> str | None:
    """Return the address of this flow run's page; None where its server has none."""
    return url_for("flow-run", obj_id=flow_run.id) if server_has_pages() else None


def mlflow_page(uri: str, run_id: str) -> str | None:
    """Return the address of a run's page; None where the store is a database without a server."""
    if not uri.startswith(("http://", "https://")):
        return None
    experiment = MlflowClient(tracking_uri=uri).get_run(run_id).info.experiment_id
    return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def is_being_cancelled() -> bool:
    """Return whether somebody has asked Prefect to cancel this flow run."""
    with suppress(Exception), get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run.id).state
        return state is not None and state.is_cancelling()
    return False


@contextmanager
def harmless(what: str) -> Iterator[None]:
    """Turn a failure to write a page into a warning."""
    try:
        yield
    except Exception as error:
        logger.warning("%s could not be written: %s", what, error)


def _prefect_link() -> str:
    url = prefect_page()
    return f"[Prefect flow run {flow_run.id}]({url})" if url else ""


def _samples(folder: RunFolder) -> list[Path]:
    """Return the pictures of the last evaluation."""
    told = [event for event in read_journal(folder.journal) if event["kind"] == "sample"]
    latest = [event["path"] for event in told if event["step"] == told[-1]["step"]]
    return [path for path in map(folder.path.joinpath, latest) if path.exists()]


def _inline(path: Path) -> str:
    """Return a picture as Markdown that needs no server: a small JPEG within the text."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_PICTURE_WIDTH, _PICTURE_WIDTH))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return f"![{path.stem}](data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()})"
