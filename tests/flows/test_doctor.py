"""The doctor finds what is there, what is missing, and says how to get it."""

import pytest

from flows import doctor

pytestmark = pytest.mark.any_backend


def test_installed_backend_computes_and_names_its_devices():
    finding = doctor.probe("tensorflow")
    assert finding.state == "ok", finding
    assert "cpu" in finding.value.lower()


def test_absent_backend_is_an_option_with_a_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "installed_backends", lambda: ["tensorflow"])
    assert doctor.probe("jax") == doctor.Finding(
        "jax", "absent", "not installed", "pip install 'keras-vision-zoo[jax]'"
    )


def test_backend_that_does_not_come_up_is_broken(monkeypatch):
    monkeypatch.setattr(doctor, "worker_environment", lambda backend: {"PATH": "", "HOME": "/x"})
    monkeypatch.setattr(doctor.sys, "executable", "/bin/false")
    finding = doctor.probe("tensorflow")
    assert (finding.state, finding.value) == ("broken", "exit code 1")
    assert "python -m flows.doctor tensorflow" in finding.remedy


@pytest.fixture
def quick(monkeypatch):
    """Leave out the processes."""
    monkeypatch.setattr(doctor, "probe", lambda backend: doctor.Finding(backend, "ok", "there"))


def test_missing_package_is_broken_with_a_remedy(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PACKAGES", ("keras", "no-such-package"))
    found = {finding.topic: finding for finding in doctor.examine(tmp_path)}
    assert found["keras"].state == "ok"
    assert found["no-such-package"].state == "broken"
    assert found["no-such-package"].remedy == "pip install no-such-package"


def test_place_that_is_a_file_is_broken(quick, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "file" / "data"))
    found = {finding.topic: finding for finding in doctor.examine(tmp_path)}
    assert found["data cache"].state == "broken"
    assert "ZOO_DATA_DIR" in found["data cache"].remedy
    assert found["run folders"].state == "ok"


def test_tracking_server_that_does_not_answer_is_broken(quick, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = {finding.topic: finding for finding in doctor.examine(tmp_path)}
    assert found["MLflow store"].state == "broken"
    assert "MLFLOW_TRACKING_URI" in found["MLflow store"].remedy


def test_choice_of_backend_comes_last(quick, tmp_path):
    finding = doctor.examine(tmp_path)[-1]
    assert finding.topic == "auto"
    assert finding.state == "ok"
