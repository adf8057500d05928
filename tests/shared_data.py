"""Real data and weights outside the project: tests that use them are skipped where they are not."""

import os
from pathlib import Path

import pytest

from zoo.weights import pip_weights_file

BESIDE = Path(__file__).parents[2] / "shared" / "data"


def shared_data(name: str) -> Path:
    """Return the folder of a real data set, or skip the test that asks for it."""
    folder = Path(os.environ.get("ZOO_TEST_DATA", BESIDE)) / name
    if not folder.exists():
        pytest.skip(f"the data set {name} is not at {folder}; set ZOO_TEST_DATA to where it is")
    return folder


def carried_weights(name: str) -> Path:
    """Return the file of ImageNet weights in a package, or skip where that is not installed."""
    try:
        return pip_weights_file(name)
    except ValueError as error:
        if "come with a package" not in str(error):  # another name is the test's own mistake
            raise
        pytest.skip(str(error))
