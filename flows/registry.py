"""The model registry written to: versions, what they come from, which one is the champion.

A version is a servable model (`flows.serving`) with the published `.keras` file inside. Aliases:
`challenger` is the version registered last, `champion` the one that passed its gate.
"""

import importlib.metadata
import warnings
from collections.abc import Mapping
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from flows.config import Config
from flows.promote import Decision
from flows.registered import file_digest
from flows.reigns import crown
from flows.serving import ARTIFACT
from flows.serving_answers import KINDS

CHALLENGER = "challenger"
# What a serving process imports beside its backend, whatever the model: masks are what zoo's
# results hold, so pycocotools comes with each of them.
_REQUIREMENTS = ("keras", "mlflow", "numpy", "pandas", "pillow", "pycocotools")


def register(
    file: Path, name: str, *, run_id: str, backend: str, kind: str, tags: Mapping[str, str]
) -> ModelVersion:
    """Register a published model as a version of its run, once; `challenger` then names it.

    Args:
        file: the published `.keras` file.
        name: the registered model; made where missing.
        run_id: the run that made it; a version that it has already is returned as it is.
        backend: which trained it, and serves it where nothing else is named.
        kind: of the model, one of `flows.serving_answers.KINDS`; says what it answers when served.
        tags: of the version.
    """
    client = MlflowClient()
    version = _version_of(client, name, run_id) or _create_version(
        client, file, name, run_id, kind, {**tags, "backend": backend}
    )
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return version


def close(
    name: str, version: str, decision: Decision, tags: Mapping[str, str], *, by: str = "gate"
) -> None:
    """Make a version the champion, or leave the champion; the version tells why."""
    client = MlflowClient()
    gate = {
        "gate": "passed" if decision.promote else "failed",
        "gate_reasons": "; ".join(decision.reasons)[:5000],
    }
    for key, value in {**tags, **gate}.items():
        client.set_model_version_tag(name, version, key, value)
    if decision.promote:
        crown(name, version, why=gate["gate_reasons"], by=by)


def conditions(config: Config) -> str:
    """Return the gate of a config as a tag has it."""
    return "" if config.gate is None else config.gate.model_dump_json()


def aliases(name: str, version: str) -> list[str]:
    """Return the names by which a version is called now."""
    return sorted(MlflowClient().get_model_version(name, version).aliases)


def _version_of(client: MlflowClient, name: str, run_id: str) -> ModelVersion | None:
    """Return the version of a run that an earlier, interrupted start registered."""
    versions = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return versions[0] if versions else None


def _create_version(
    client: MlflowClient,
    file: Path,
    name: str,
    run_id: str,
    kind: str,
    tags: Mapping[str, str],
) -> ModelVersion:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    logged = _log_model(client, file, run_id, kind, tags["backend"])
    return client.create_model_version(
        name,
        source=logged.model_uri,
        run_id=run_id,
        model_id=logged.model_id,
        tags={**tags, "kind": kind, "sha256": file_digest(file)},
    )


def _log_model(client: MlflowClient, file: Path, run_id: str, kind: str, backend: str):
    """Log the servable model to its run: the file, the code that opens it, what that needs."""
    flows = Path(__file__).parent
    run = client.get_run(run_id)
    model = client.create_logged_model(
        run.info.experiment_id, name="model", source_run_id=run_id, params=run.data.params
    )
    with warnings.catch_warnings():  # without an input example, which would load the model here
        warnings.simplefilter("ignore", UserWarning)
        return Model.log(
            artifact_path=None,
            model_id=model.model_id,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(flows / "served_model.py"),
            artifacts={ARTIFACT: str(file)},
            code_paths=[str(flows), str(flows.parent / "zoo")],
            model_config={"backend": backend},
            signature=KINDS[kind].signature,
            pip_requirements=_requirements(backend),
        )


def _requirements(backend: str) -> list[str]:
    """Pin what is installed; a local build's suffix (2.13.0+cpu) is on no index."""
    names = (*_REQUIREMENTS, backend)
    return [f"{name}=={importlib.metadata.version(name).partition('+')[0]}" for name in names]
