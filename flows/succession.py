"""A champion named by hand: `zoo promote`, `zoo rollback` and `zoo history`.

What a person decides is written down as what a gate decides is, with the name and the reason. The
alias moves under the lock that the gates hold, and only to a version whose file is the one that was
registered.
"""

from pathlib import Path

from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from flows import registered
from flows.provenance import user
from flows.reigns import CHAMPION, Reign, crown, reigns
from flows.runtime import UserError
from flows.tracking_store import answering, open_store

ROLLED_BACK = "rolled_back"  # the tag of a version that was champion and was found wanting


def promote(model: str, *, reason: str, anyway: bool, home: Path) -> Reign:
    """Make a version the champion.

    Args:
        model: models:/name/3 or models:/name@challenger.
        reason: why; kept with the reign.
        anyway: though its gate refused it.
        home: whose registry, where MLFLOW_TRACKING_URI names none.

    Raises:
        UserError: no such version, its file is not there, its gate refused it, or it is the
            champion already.
    """
    with open_store(home) as uri, answering(uri), FileLock(home / "registry.lock"):
        version = registered.find_version(model)
        uri = f"models:/{version.name}/{version.version}"
        if CHAMPION in version.aliases:
            raise UserError(f"{uri} is the champion already")
        if version.tags.get("gate") != "passed" and not anyway:
            refused = version.tags.get("gate_reasons", "it never came to a gate")
            raise UserError(f"{uri} did not pass its gate: {refused}. --anyway promotes it.")
        return _crown(version, why=reason, home=home)


def roll_back(name: str, *, to: str | None, reason: str, home: Path) -> Reign:
    """Make an earlier champion the champion again; the present one is marked.

    Args:
        name: the registered model.
        to: a version's number; None: the champion before the present one.
        reason: why; kept with the reign and with the version that has to go.
        home: whose registry, where MLFLOW_TRACKING_URI names none.

    Raises:
        UserError: there is no such model, it had no other champion, or the file is not there.
    """
    with open_store(home) as uri, answering(uri), FileLock(home / "registry.lock"):
        present = str(registered.find_version(f"models:/{name}@{CHAMPION}").version)
        earlier = _earlier(name, present, to)
        version = registered.find_version(f"models:/{name}/{earlier}")
        registered.checked_file(version, home)  # before anything is written
        MlflowClient().set_model_version_tag(name, present, ROLLED_BACK, reason)
        return _crown(version, why=f"rolled back from version {present}: {reason}", home=home)


def history(name: str, home: Path) -> list[Reign]:
    """Return who was the champion of a model, the first one first.

    Raises:
        UserError: there is no such model.
    """
    with open_store(home) as uri, answering(uri):
        return _reigns(name)


def _reigns(name: str) -> list[Reign]:
    try:
        return reigns(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(f"{name}: no such registered model; `zoo history` takes its name") from None


def _earlier(name: str, present: str, to: str | None) -> str:
    """Return the version to go back to: `to`, or the last champion that was not rolled back."""
    been = [reign.version for reign in _reigns(name)]
    if to is not None:
        if to not in been or to == present:
            known = ", ".join(sorted(set(been) - {present}, key=int)) or "none"
            raise UserError(f"{name}: version {to} was no champion before; there were: {known}")
        return to
    client = MlflowClient()
    for version in reversed(been):
        if version != present and ROLLED_BACK not in _tags(client, name, version):
            return version
    raise UserError(f"{name}: version {present} had no champion before it to go back to")


def _tags(client: MlflowClient, name: str, version: str) -> dict[str, str]:
    try:
        return client.get_model_version(name, version).tags
    except MlflowException:  # it was deleted since
        return {ROLLED_BACK: "deleted"}


def _crown(version: ModelVersion, *, why: str, home: Path) -> Reign:
    registered.checked_file(version, home)
    client = MlflowClient()
    if ROLLED_BACK in version.tags:  # whoever names it by hand takes that back
        client.delete_model_version_tag(version.name, version.version, ROLLED_BACK)
    crown(version.name, str(version.version), why=why, by=user())
    return reigns(version.name)[-1]
