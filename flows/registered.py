"""What the registry has: versions found by their names, and their files on this disk."""

import difflib
import hashlib
import shutil
import tempfile
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from flows.config import Config
from flows.origin import FROM_CHAMPION
from flows.reigns import CHAMPION
from flows.run_folder import default_home
from flows.runtime import UserError
from flows.tracking_store import answering, open_store


def find_champion(name: str) -> ModelVersion | None:
    """Return the champion of a registered model, or None."""
    return _by_alias(MlflowClient(), name, CHAMPION)


def find_version(model: str) -> ModelVersion:
    """Return the version that models:/name@alias or models:/name/3 names.

    Raises:
        UserError: there is no such version; what there is, is told.
    """
    name, alias, number = _parse(model)
    client = MlflowClient()
    try:
        return (
            client.get_model_version_by_alias(name, alias)
            if alias
            else client.get_model_version(name, number)
        )
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise UserError(f"{model}: no such model; {_what_there_is(client, name)}") from None


def resolve(model: str, home: Path | None = None) -> Path:
    """Return the local `.keras` file of a model.

    Args:
        model: models:/name@alias, models:/name/3 or a path.
        home: the home whose registry is asked where MLFLOW_TRACKING_URI names none; by default
            what ZOO_HOME names, else mlruns.

    Raises:
        UserError: there is no such model.
        TrackingError: the registry does not answer.
    """
    home = default_home() if home is None else home
    if not model.startswith("models:"):
        if not Path(model).is_file():
            raise UserError(f"{model}: no such model")
        return Path(model)
    with open_store(home) as uri, answering(uri):
        return local_file(find_version(model), home)


def run_folder_of(run: str, home: Path) -> str:
    """Return the folder that a run was trained in, as its tags tell.

    Args:
        run: models:/name@alias, models:/name/3 or the id of an MLflow run.
        home: as `resolve` has it.

    Raises:
        UserError: there is no such model or run, or it was made by something else.
        TrackingError: the registry does not answer.
    """
    with open_store(home) as uri, answering(uri):
        tags = find_version(run).tags if run.startswith("models:") else _run_tags(run)
    if "run_folder" not in tags:
        raise UserError(f"{run}: made without a run folder. Was it registered by something else?")
    return tags["run_folder"]


def _run_tags(run_id: str) -> dict[str, str]:
    try:
        return MlflowClient().get_run(run_id).data.tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(f"{run_id}: the tracking store has no such run") from None


def local_file(version: ModelVersion, home: Path) -> Path:
    """Return the version's `.keras` file, fetched into the home where it lies on a server."""
    location = MlflowClient().get_model_version_download_uri(version.name, str(version.version))
    if is_local_uri(location):
        return _only_keras_file(Path(local_file_uri_to_path(location)) / "artifacts", version)
    kept = home / "models" / version.name / str(version.version)
    file = next(kept.glob("*.keras"), None)
    if file is not None and file_digest(file) == version.tags.get("sha256"):
        return file
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as part:
        uri = f"models:/{version.name}/{version.version}/artifacts"
        fetched = mlflow.artifacts.download_artifacts(uri, dst_path=part)
        file = _only_keras_file(Path(fetched), version)
        return file.replace(kept / file.name)


def checked_file(version: ModelVersion, home: Path) -> Path:
    """Return the version's file after a look whether it is the one that was registered.

    Raises:
        UserError: it is not there, or it is another.
    """
    name = f"models:/{version.name}/{version.version}"
    try:
        file = local_file(version, home)
    except (OSError, MlflowException) as error:
        raise UserError(f"{name}: its file cannot be had: {error}") from None
    if not file.is_file() or file_digest(file) != version.tags.get("sha256"):
        raise UserError(f"{name}: its file {file} is missing, or not the one that was registered")
    return file


def provide_champion(config: Config, file: Path, home: Path) -> None:
    """Copy the champion's `.keras` file for a config that begins with it, where there is one.

    A run that goes on begins with what it began with, whoever is the champion by then.
    """
    wanted = config.model.weights == FROM_CHAMPION and not file.exists()
    champion = find_champion(config.name) if wanted else None
    if champion is not None:
        part = file.with_suffix(".part")
        shutil.copyfile(checked_file(champion, home), part)
        part.replace(file)


def _only_keras_file(folder: Path, version: ModelVersion) -> Path:
    found = sorted(folder.glob("*.keras"))
    if not found:
        raise UserError(
            f"models:/{version.name}/{version.version} holds no .keras file. "
            "Was it registered by something else?"
        )
    return found[0]


def _parse(model: str) -> tuple[str, str, str]:
    """Return name, alias and version number; one of the latter two is empty."""
    name, _, rest = model.removeprefix("models:").lstrip("/").partition("@")
    if rest:
        return name, rest, ""
    name, _, number = name.partition("/")
    if not (name and number.isdigit()):
        raise UserError(f"expected models:/name@alias or models:/name/3; got {model}")
    return name, "", number


def _what_there_is(client: MlflowClient, name: str) -> str:
    models = {model.name: model for model in client.search_registered_models()}
    if name in models:
        versions = client.search_model_versions(f"name = '{name}'")
        known = [f"@{alias}" for alias in sorted(models[name].aliases)]
        known += [f"/{version.version}" for version in versions]
        return f"{name} has {', '.join(known)}"
    near = difflib.get_close_matches(name, models, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"registered are {', '.join(sorted(models))}" if models else "none is registered yet"


def _by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def file_digest(file: Path) -> str:
    """Return the sha256 of a file, 64 hex digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
