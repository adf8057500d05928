"""Homes for the controller's tests; a database migrated once stands in for each fresh one."""

import os
import shutil

import pytest

from flows.runtime import controller_environment

os.environ.update(controller_environment())  # before Prefect and MLflow are imported


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory):
    from flows.tracking_store import open_store

    home = tmp_path_factory.mktemp("migrated")
    with open_store(home):
        pass
    return home


@pytest.fixture
def home(tmp_path, migrated_home, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "mlruns"
    home.mkdir()
    shutil.copy(migrated_home / "mlflow.db", home)
    return home
