"""What takes minutes: runs that go silent, that crash over and over, and the real worker."""

import os
import signal
from contextlib import suppress

import psutil
import pytest
from mlflow.tracking import MlflowClient
from services import Services, wait_for

from flows.automations import MAX_RERUNS, SILENCE_SECONDS
from flows.journal import read_journal

pytestmark = [pytest.mark.any_backend, pytest.mark.slow, pytest.mark.timeout(1200)]


def worker_of(services, flow_run, step=3):
    """Return the training process, as soon as it has come to a step."""

    def reached():
        folder = services.folder(flow_run)
        events = read_journal(folder.journal) if folder else []
        return any(event.get("step", 0) >= step for event in events)

    wait_for(reached)
    return psutil.Process(int(services.folder(flow_run).worker_pid.read_text()))


def assert_it_went_on(services, flow_run, steps):
    services.wait_for_state(flow_run, "Completed", "Failed", seconds=SILENCE_SECONDS + 240)
    assert services.state(flow_run).name == "Completed"
    events = read_journal(services.folder(flow_run).journal)
    assert [e["step"] for e in events if e["kind"] == "step"] == list(range(1, steps + 1))
    assert any(event["kind"] == "resumed" and event["step"] >= 5 for event in events)
    assert services.mlflow_run(flow_run).info.status == "FINISHED"


def test_a_run_whose_worker_and_processes_all_die_is_noticed_and_run_again(tmp_path):
    """As after a power cut: `zoo up` and all else killed at once, and started again later."""
    killed = Services(tmp_path / "home").wait_until_ready()
    flow_run = killed.start_run(steps=60, delay=0.1)
    worker_of(killed, flow_run, step=12)
    for process in killed.family():
        process.kill()
    services = Services(tmp_path / "home").wait_until_ready()
    try:
        assert services.state(flow_run).name == "Running"  # nobody was left to say otherwise
        assert_it_went_on(services, flow_run, 60)
    finally:
        services.stop()


def test_a_run_that_zoo_up_interrupted_goes_on_with_the_next_one(tmp_path):
    first = Services(tmp_path / "home").wait_until_ready()
    flow_run = first.start_run(steps=60, delay=0.1)
    worker_of(first, flow_run, step=12)
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(timeout=60) == 0
    services = Services(tmp_path / "home").wait_until_ready()
    try:
        assert_it_went_on(services, flow_run, 60)
    finally:
        services.stop()


def test_a_run_that_crashes_each_time_is_given_up(tmp_path):
    services = Services(tmp_path / "home").wait_until_ready()
    try:
        flow_run = services.start_run(steps=10000, delay=0.05)
        controllers = set()
        for _ in range(MAX_RERUNS + 1):
            controller = next_controller(services, flow_run, controllers)
            controllers.add(controller.pid)
            services.wait_for_state(flow_run, "Running")  # a start counts from then on
            controller.send_signal(signal.SIGKILL)
        services.wait_for_state(flow_run, "Crashed")
        with services.client() as client:
            assert client.read_flow_run(flow_run.id).run_count == MAX_RERUNS + 1
        with pytest.raises(AssertionError, match="waited in vain"):
            services.wait_for_state(flow_run, "AwaitingRetry", "Running", seconds=40)
    finally:
        services.stop()
        kill_training(services.folder(flow_run))


def kill_training(folder):
    """End what outlived its killed controllers, where one of them came to starting it."""
    if folder is not None and folder.worker_pid.exists():
        with suppress(ProcessLookupError):
            os.killpg(int(folder.worker_pid.read_text()), signal.SIGKILL)


def next_controller(services, flow_run, known):
    """Return the process of the flow's next attempt, as soon as it is at work."""
    found = []

    def looks_new():
        if services.state(flow_run).name != "Running":
            return False
        for process in services.family():
            try:
                variables = process.environ()
                is_flow = "prefect.engine" in " ".join(process.cmdline()) or (
                    "_workspace_runtime_bootstrap" in " ".join(process.cmdline())
                )
            except psutil.Error:
                continue
            this = variables.get("PREFECT__FLOW_RUN_ID") == str(flow_run.id)
            if this and is_flow and process.pid not in known:
                found.append(process)
        return bool(found)

    wait_for(looks_new)
    return found[0]


def test_the_real_worker_brings_a_deployed_run_to_a_champion(tmp_path):
    services = Services(tmp_path / "home", real=True).wait_until_ready()
    try:
        flow_run = services.start_run()
        services.wait_for_state(flow_run, "Completed", "Failed", "Crashed", seconds=400)
        assert services.state(flow_run).name == "Completed"
        champion = MlflowClient(services.mlflow).get_model_version_by_alias("smoke", "champion")
        assert champion.run_id == services.mlflow_run(flow_run).info.run_id
        assert champion.tags["backend"] == "tensorflow"
    finally:
        services.stop()
