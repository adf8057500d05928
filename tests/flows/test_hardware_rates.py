"""The ceilings are measured once and kept, until there is a reason to measure anew."""

import json
import time

import keras
import pytest

from flows import hardware_rates, machine

BACKEND = keras.backend.backend()
MEASURED = {"format": 2, "busy": 0.1, "measured": 0.0}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "busy", lambda: 0.0)
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """Measure over less memory: the arrays of a real machine take seconds under load."""
    from zoo.hardware import rates

    monkeypatch.setattr(rates, "array_bytes", lambda caches, available: 2**20)


def keep(**changes):
    path = hardware_rates.kept_path(BACKEND)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(MEASURED | {"measured": time.time()} | changes))


def test_what_is_measured_makes_sense_and_is_kept(small):
    told = []
    found = hardware_rates.measure(
        BACKEND, seconds=0.0, dtypes=("float32", "bfloat16"), progress=told.append
    )
    assert set(found["matrix"]) == {"float32", "bfloat16"}
    for rate in found["matrix"].values():
        assert rate["operations_per_second"] > 1e6
    assert 1e6 < found["memory"]["bytes_per_second"] < 1e14
    assert found["memory"]["working_set"] == 3 * 2**20
    assert found["backend"] == BACKEND
    assert found["devices"]
    assert "multiplying matrices of bfloat16" in told
    assert hardware_rates.read_kept(BACKEND) == json.loads(json.dumps(found))


@pytest.mark.any_backend
def test_what_is_kept_is_not_measured_again(monkeypatch):
    keep()
    monkeypatch.setattr(hardware_rates, "measure", lambda *_, **__: pytest.fail("measured"))
    assert hardware_rates.kept_or_measured(BACKEND)["busy"] == 0.1


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "changes",
    [
        {"measured": time.time() - 31 * 24 * 3600},  # a month is over
        {"format": 0},  # another zoo measured otherwise
        {"busy": 0.9},  # the machine was busy, and is idle now
    ],
)
def test_what_is_old_or_was_disturbed_is_measured_anew(changes):
    keep(**changes)
    assert hardware_rates.read_kept(BACKEND) is None


@pytest.mark.any_backend
def test_a_machine_that_is_as_busy_as_then_keeps_its_rates(monkeypatch):
    keep(busy=0.9)
    monkeypatch.setattr(machine, "busy", lambda: 0.8)
    assert hardware_rates.read_kept(BACKEND)["busy"] == 0.9


@pytest.mark.any_backend
def test_another_machine_has_other_rates(monkeypatch):
    keep()
    monkeypatch.setattr(machine, "usable_cores", lambda: 4096)
    assert hardware_rates.read_kept(BACKEND) is None


@pytest.mark.any_backend
def test_a_broken_file_is_measured_anew():
    keep()
    hardware_rates.kept_path(BACKEND).write_text("{")
    assert hardware_rates.read_kept(BACKEND) is None
