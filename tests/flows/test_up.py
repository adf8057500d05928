"""`zoo up`: what it refuses, that a dead service starts again, and that nothing stays behind."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest
from mlflow.tracking import MlflowClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from services import PROJECT, Services, kinds, stand_in_deployments, wait_for

from flows import deployments, up
from flows.embedded import prefect_server
from flows.runtime import UserError
from flows.services import Service, ServiceError, is_alive
from flows.tracking_store import open_store

pytestmark = pytest.mark.any_backend


def zoo(*arguments, cwd=PROJECT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("option", ["--prefect-port", "--mlflow-port"])
def test_a_port_that_is_taken_is_the_users_mistake(tmp_path, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = zoo("up", "--home", tmp_path / "home", option, port)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: port {port} of 127.0.0.1 is taken")
    assert option in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_home_that_cannot_be_written_to_is_the_users_mistake(tmp_path):
    (tmp_path / "file").touch()
    answer = zoo("up", "--home", tmp_path / "file" / "home")
    assert answer.returncode == 2
    assert answer.stderr == (
        f"error: {tmp_path}/file/home: cannot be written to (Not a directory); choose another "
        "folder with --home\n"
    )


def test_deploying_without_a_server_or_a_description_is_the_users_mistake(tmp_path):
    answer = zoo("deploy", cwd=tmp_path, PREFECT_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: prefect.yaml: no such file; ")
    answer = zoo("deploy", PREFECT_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: no Prefect server is named; start one with `zoo up`")


def test_a_service_that_dies_shows_the_end_of_its_log(tmp_path):
    service = Service(
        "teapot",
        [sys.executable, "-c", "print('short'); print('and stout'); raise SystemExit(3)"],
        environment=os.environ,
        log=tmp_path / "teapot.log",
        answers=lambda: False,
    )
    with pytest.raises(ServiceError, match=r"^teapot failed with exit code 3; its log: /") as error:
        service.wait_until_ready()
    assert error.value.log == "short\nand stout"


def test_a_service_ends_with_children_that_have_sessions_of_their_own(tmp_path):
    child = "import subprocess, sys, time; print(subprocess.Popen([sys.executable, '-c', "
    child += "'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)'], "
    child += "start_new_session=True).pid, flush=True); time.sleep(600)"
    service = Service(
        "parent",
        [sys.executable, "-c", child],
        environment=os.environ,
        log=tmp_path / "parent.log",
        patience=0.5,
    )
    wait_for(lambda: (tmp_path / "parent.log").read_text().strip())
    (line,) = [line for line in service.new_lines() if line]
    grandchild = psutil.Process(int(line))
    service.stop()
    assert not psutil.pid_exists(service.pid)
    assert not is_alive(grandchild)


@pytest.mark.slow
def test_prefect_deploy_all_works_without_questions_in_a_clean_checkout(tmp_path):
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(PROJECT), str(checkout)], check=True)
    with prefect_server(tmp_path) as url, temporary_settings({PREFECT_API_URL: url}):
        deployments.make_pool("zoo")
        answer = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
            cwd=checkout,
            env=os.environ | {"PREFECT_API_URL": url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert deployments.deployed("zoo") == [
            "sweep/bananas_rates",
            "train/classifier_pets",
            "train/fast_style_autumn",
            "train/fcn8s_shapes",
            "train/smoke",
            "train/tiny_ssd_bananas",
            "train/tiny_ssd_reduced",
        ]


@pytest.mark.slow
def test_a_config_with_a_mistake_is_refused_when_it_is_deployed(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    text = stand_in_deployments(tmp_path / "prefect.yaml").read_text()
    wrong = "path: configs/smoke.yaml, overrides: [train.epochs=none]"
    (tmp_path / "prefect.yaml").write_text(text.replace("path: configs/smoke.yaml", wrong))
    with prefect_server(tmp_path) as url, temporary_settings({PREFECT_API_URL: url}):
        monkeypatch.setenv("PREFECT_API_URL", url)
        with pytest.raises(UserError, match=r"train\.epochs"):
            deployments.deploy(prefect_file=tmp_path / "prefect.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_everything_a_training_included_and_says_so_to_mlflow(tmp_path, number):
    services = Services(tmp_path / "home").wait_until_ready()
    try:
        flow_run = services.start_run(steps=10000, delay=0.05)
        wait_for(lambda: (folder := services.folder(flow_run)) and folder.worker_pid.exists())
        family = services.family()
        assert int(services.folder(flow_run).worker_pid.read_text()) in {p.pid for p in family}
        services.process.send_signal(number)
        assert services.process.wait(timeout=60) == 0
        assert [process for process in family if is_alive(process)] == []
    finally:
        services.stop()
    with open_store(services.home) as uri:
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name("smoke")
        (told,) = client.search_runs([experiment.experiment_id])
    assert told.info.status == "KILLED"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlflow", "uvicorn", "worker"])
def test_a_service_that_dies_is_started_again_and_a_run_goes_on(tmp_path, name):
    services = Services(tmp_path / "home").wait_until_ready()
    try:
        flow_run = services.start_run(steps=100, delay=0.1)
        wait_for(lambda: (folder := services.folder(flow_run)) and folder.journal.exists())
        wait_for(lambda: kinds(services.folder(flow_run))["step"] > 20)
        child_named(services, name).kill()
        wait_for(lambda: "was killed (out of memory?); its log: " in services.text())
        assert "; starting it again" in services.text()
        wait_for(lambda: child_named(services, name))
        wait_for(lambda: state_or_none(services, flow_run) == "Completed")
        told = kinds(services.folder(flow_run))
        assert (told["step"], told["resumed"]) == (100, 0)  # the training never stopped
        with services.client() as client:
            starts = client.read_flow_run(flow_run.id).run_count
        assert starts == 1 or name == "worker"  # whose runs end with it, but for the training
        assert services.mlflow_run(flow_run).info.status == "FINISHED"
        again = services.start_run(steps=2)
        services.wait_for_state(again, "Completed")
    finally:
        services.stop()


def child_named(services, name):
    """Return the service whose command has this word; None where it is gone."""
    for process in services.process.children():
        if is_alive(process) and name in process.cmdline():
            return process
    return None


def state_or_none(services, flow_run):
    with suppress(Exception):  # the server is away
        return services.state(flow_run).name
    return None


def test_a_service_that_keeps_dying_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(up, "_LOOK_SECONDS", 0.05)
    service = Service(
        "moth",
        [sys.executable, "-S", "-c", "print('a life')"],
        environment=os.environ,
        log=tmp_path / "moth.log",
    )
    try:
        with pytest.raises(ServiceError, match=r"^moth failed with exit code 0; its log: ") as end:
            up._follow([service])
    finally:
        service.stop()
    assert end.value.log.splitlines() == ["a life"] * 4


def test_a_service_ends_with_the_process_that_started_it(tmp_path):
    program = "import os, time; from pathlib import Path; from flows.services import Service; "
    program += "service = Service('one', ['sleep', '600'], environment=os.environ, "
    program += f"log=Path({str(tmp_path / 'one.log')!r})); service._process.kill(); "
    program += "service._process.wait(); service.start_again(); print(service.pid, flush=True); "
    program += "os.kill(os.getpid(), 9)"
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert answer.returncode == -signal.SIGKILL
    pid = int(answer.stdout)
    wait_for(lambda: not psutil.pid_exists(pid))
