"""Homes and the stand-in worker for the controller's tests.

A database migrated once stands in for each fresh one.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from flows import supervisor
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


@pytest.fixture
def stand_in(monkeypatch):
    """Put the stand-in worker in place, in this process and its children; return its controls."""
    file = Path(__file__).with_name("stand_in_worker.py")
    monkeypatch.setattr(supervisor, "WORKER", (sys.executable, str(file)))

    def control(**options):
        monkeypatch.setenv("STAND_IN", json.dumps(options))

    control()
    return control
