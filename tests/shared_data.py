"""Real data sets beside the project: tests that use one are skipped where it is absent."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2] / "shared" / "data"


def shared_data(name: str) -> Path:
    """Return the folder of a real data set, or skip the test that asks for it."""
    folder = Path(os.environ.get("ZOO_TEST_DATA", BESIDE)) / name
    if not folder.exists():
        pytest.skip(f"the data set {name} is not at {folder}; set ZOO_TEST_DATA to where it is")
    return folder
