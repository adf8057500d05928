"""The name of a model on the command line -> the version that it means now.

A registry's alias may move; a `.keras` file, a run's folder and a version's number do not.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.model_names import resolve_model
from flows.runtime import controller_environment
from flows.serve_keeper import Versions
from flows.serve_model import Version

_REGISTERED = re.compile(r"[\w.-]+(@[\w-]+|/\d+)")


class FixedVersion:
    """A model that stays the same.

    Args:
        version: the only one.
    """

    moves = False

    def __init__(self, version: Version):
        self._version = version

    def latest(self) -> Version:
        """Return the version."""
        return self._version


class RegisteredVersions:
    """A model of the registry, whose store has to be open while it is asked.

    Args:
        model: models:/name@alias or models:/name/3.
        home: for what has to be fetched.
        uri: of the store, for its errors.
    """

    def __init__(self, model: str, home: Path, uri: str):
        self.moves = "@" in model
        self._model, self._home, self._uri = model, home, uri

    def latest(self) -> Version:
        """Return the version that the name means.

        Raises:
            UserError: there is none.
            TrackingError: the registry does not answer.
        """
        from flows.registered import find_version, local_file
        from flows.tracking_store import answering

        with answering(self._uri):
            found = find_version(self._model)
            label = f"models:/{found.name}/{found.version}"
            return Version(label, local_file(found, self._home))


@contextmanager
def open_versions(model: str, home: Path) -> Iterator[Versions]:
    """Yield where the versions of a model come from.

    Args:
        model: as for other commands; the registry's `models:/` may be left out.
        home: whose registry is asked where MLFLOW_TRACKING_URI names none.

    Raises:
        UserError: there is no such model.
    """
    name = registered_name(model)
    if name is None:
        yield FixedVersion(Version(model, resolve_model(model)))
        return
    os.environ.update(controller_environment())
    from flows.tracking_store import open_store

    with open_store(home) as uri:
        yield RegisteredVersions(name, home, uri)


def registered_name(model: str) -> str | None:
    """Return the registry's name of a model, or None where a file or a folder is meant."""
    if model.startswith("models:"):
        return model
    if _REGISTERED.fullmatch(model) and not Path(model).exists():
        return f"models:/{model}"
    return None
