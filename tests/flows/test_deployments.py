"""Deployments on real servers, started by `zoo up`: schedules, runs, cancellation, crashes."""

import json
import re
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest
from browser import open_browser, open_tab
from mlflow.tracking import MlflowClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from services import PROJECT, Services, kinds, run_prefect, run_zoo, wait_for

from flows.automations import MAX_RERUNS, automations
from flows.config import Config, load_config
from flows.journal import read_journal
from flows.sweep_config import Sweep, load_sweep

pytestmark = [pytest.mark.any_backend, pytest.mark.slow]
CONFIGS = PROJECT / "configs"


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    running = Services(tmp_path_factory.mktemp("up") / "home")
    try:
        yield running.wait_until_ready()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def finished_runs(services):
    """Two runs that were started at once, the second of another deployment, at their ends."""
    runs = services.start_run(steps=20), services.start_run("train/tiny_ssd_reduced", steps=3)
    services.wait_for_state(runs[1], "Completed", "Failed", "Crashed")
    with services.client() as client:
        return [client.read_flow_run(run.id) for run in runs]


def auto_scheduled(services, name):
    """Return the runs that the server made from a deployment's schedule."""
    with services.client() as client:
        deployment = client.read_deployment_by_name(name)
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id])
            )
        )
    return [run for run in found if run.auto_scheduled]


def worker_pid(services, flow_run, step):
    """Return the process that trains, as soon as it has come to a step."""

    def reached():
        folder = services.folder(flow_run)
        events = read_journal(folder.journal) if folder else []
        return any(event.get("step", 0) >= step for event in events)

    wait_for(reached)
    return int(services.folder(flow_run).worker_pid.read_text())


def test_cron_schedules_make_runs_by_themselves(services):
    wait_for(lambda: len(auto_scheduled(services, "train/tiny_ssd_reduced")) >= 3)
    times = sorted(
        run.expected_start_time for run in auto_scheduled(services, "train/tiny_ssd_reduced")
    )
    assert {(time.hour, time.minute) for time in times} == {(1, 0)}
    assert (times[1] - times[0]).days == 1
    wait_for(lambda: auto_scheduled(services, "train/tiny_ssd_bananas"))
    assert auto_scheduled(services, "train/smoke") == []


def test_a_deployment_holds_its_whole_config_backend_limit_and_tags(services):
    with services.client() as client:
        found = client.read_deployment_by_name("train/tiny_ssd_bananas")
    assert Config.model_validate(found.parameters["config"]) == load_config(
        CONFIGS / "tiny_ssd_bananas.yaml"
    )
    assert found.job_variables == {"env": {"KERAS_BACKEND": "torch"}}
    assert found.global_concurrency_limit.limit == 1
    assert {"detection", "retraining"} <= set(found.tags)
    assert (found.work_pool_name, found.work_queue_name) == ("zoo", "device-0")


def test_a_sweep_is_scheduled_with_its_whole_base(services):
    name = "sweep/bananas_rates"
    with services.client() as client:
        found = client.read_deployment_by_name(name)
    swept = load_sweep(CONFIGS / "sweeps" / "bananas_rates.yaml")
    assert Sweep.model_validate(found.parameters["sweep"]) == swept
    wait_for(lambda: auto_scheduled(services, name))
    times = {run.expected_start_time for run in auto_scheduled(services, name)}
    assert {(time.day, time.hour, time.minute) for time in times} == {(1, 4, 0)}


def test_a_device_takes_one_run_at_a_time(services, finished_runs):
    with services.client() as client:
        queue = client.read_work_queue_by_name("device-0", work_pool_name="zoo")
    assert queue.concurrency_limit == 1
    states = [run.state.name for run in finished_runs]
    assert states == ["Completed", "Completed"]
    assert finished_runs[1].start_time >= finished_runs[0].end_time


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("train", "epochs"), "three", "'three' is not of type 'integer'"),
        (("train", "epochs"), 0, "0 is less than the minimum of 1"),
        (("train", "epohcs"), 3, "('epohcs' was unexpected)"),
        (("backend",), "theano", "'theano' is not one of ['auto', 'tensorflow', 'jax', 'torch']"),
    ],
)
def test_the_server_refuses_a_parameter_that_does_not_fit_the_config(services, keys, value, said):
    with services.client() as client:
        deployment = client.read_deployment_by_name("train/smoke")
        config = dict(deployment.parameters["config"])
        section = config
        for key in keys[:-1]:
            section[key] = section = dict(section[key])
        section[keys[-1]] = value
        with pytest.raises(Exception, match="Validation failed") as refused:
            client.create_flow_run_from_deployment(deployment.id, parameters={"config": config})
    assert said in str(refused.value)
    assert "config" in str(refused.value)


def test_prefects_command_line_tells_the_refusal_and_fails(services):
    answer = run_prefect(services, "deployment", "run", "train/smoke", "--param", "again=perhaps")
    assert answer.returncode == 1
    assert "Validation failed for field 'again'" in answer.stdout + answer.stderr
    assert "'perhaps' is not of type 'boolean'" in answer.stdout + answer.stderr


def test_deploying_again_changes_nothing(services):
    def known():
        with services.client() as client:
            deployments = client.read_deployments()
            return {one.id for one in client.read_automations()}, {one.id for one in deployments}

    before = known()
    assert [len(ids) for ids in before] == [2, 7]
    answer = run_zoo(services, "deploy", "--prefect-file", str(services.prefect_file))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [
        *("deployed", "sweep/bananas_rates"),
        *("deployed", "train/classifier_pets"),
        *("deployed", "train/fast_style_autumn"),
        *("deployed", "train/fcn8s_shapes"),
        *("deployed", "train/smoke"),
        *("deployed", "train/tiny_ssd_bananas"),
        *("deployed", "train/tiny_ssd_reduced"),
    ]
    assert known() == before


def test_a_worker_brings_a_run_to_a_registered_version(services, finished_runs):
    told = services.mlflow_run(finished_runs[0])
    assert told.info.status == "FINISHED"
    assert told.data.tags["backend"] == "tensorflow"  # of the deployment's environment
    champion = MlflowClient(services.mlflow).get_model_version_by_alias("smoke", "champion")
    assert champion.run_id == told.info.run_id


def test_the_pages_of_a_run_say_the_same_and_link_to_each_other(services, finished_runs):
    told = services.mlflow_run(finished_runs[0])
    run_id = told.info.run_id
    artifacts = {one["key"]: one["data"] for one in read_artifacts(services, finished_runs[0])}
    rows = json.loads(artifacts["smoke-metrics"])
    logged = {k: v for k, v in told.data.metrics.items() if k.startswith("verified/")}
    assert {f"verified/{row['metric']}": row["model"] for row in rows} == logged
    assert logged == {"verified/ap50": 0.75, "verified/ap_class/banana": 0.75}
    assert artifacts["smoke-progress"] == 100
    pictures = MlflowClient(services.mlflow).list_artifacts(run_id, "samples")
    assert artifacts["smoke-samples"].count("data:image/jpeg;base64,") == len(pictures) == 1
    page = f"{services.mlflow}/#/experiments/{told.info.experiment_id}/runs/{run_id}"
    assert page in artifacts["smoke-mlflow"]
    page = f"{services.prefect}/runs/flow-run/{finished_runs[0].id}"
    assert told.data.tags["prefect_url"] == page
    description = told.data.tags["mlflow.note.content"]
    link = f"[Prefect flow run {finished_runs[0].id}]({page})"
    assert description == f"{artifacts['smoke-summary']}\n\n{link}"
    assert "models:/smoke/1" in description


def test_the_report_of_a_run_links_its_pages_and_they_link_it(services, finished_runs):
    told = services.mlflow_run(finished_runs[0])
    run_id = told.info.run_id
    mlflow = f"{services.mlflow}/#/experiments/{told.info.experiment_id}/runs/{run_id}"
    prefect = f"{services.prefect}/runs/flow-run/{finished_runs[0].id}"
    report = services.folder(finished_runs[0]).report
    assert re.findall(r'<a href="(http[^"]+)"', report.read_text()) == [prefect, mlflow]
    artifacts = {one["key"]: one["data"] for one in read_artifacts(services, finished_runs[0])}
    assert f"]({mlflow}/artifacts/report.html)" in artifacts["smoke-report"]
    assert f"]({mlflow})" in artifacts["smoke-report"]
    assert str(report) in artifacts["smoke-report"]
    assert told.data.tags["report"] == "report.html"
    logged = [file.path for file in MlflowClient(services.mlflow).list_artifacts(run_id)]
    assert "report.html" in logged


def test_in_a_browser_prefects_page_leads_to_the_report_in_mlflow(services, finished_runs):
    links = "[...document.links].map(one => one.href).filter(one => one.endsWith('report.html'))"
    frames = "[...document.querySelectorAll('iframe')].map(one => one.src)"
    artifacts = {one["key"]: one["id"] for one in read_artifacts(services, finished_runs[0])}
    with open_browser() as browser, open_tab(browser) as tab:
        tab.visit(f"{services.prefect}/artifacts/artifact/{artifacts['smoke-report']}")
        wait_for(lambda: tab.evaluate(links))
        tab.visit(tab.evaluate(links)[0])
        wait_for(lambda: tab.evaluate(frames))
        shown = tab.evaluate(f"fetch({frames}[0]).then(answer => answer.text())")
    assert shown == services.folder(finished_runs[0]).report.read_text(encoding="utf-8")


def read_artifacts(services, flow_run):
    with services.client() as client:
        answer = client.request(
            "POST",
            "/artifacts/filter",
            json={"artifacts": {"flow_run_id": {"any_": [str(flow_run.id)]}}},
        )
    return answer.json()


def test_a_cancelled_run_stops_its_worker_and_is_marked_so(services):
    flow_run = services.start_run(steps=10000, delay=0.05)
    worker = psutil.Process(worker_pid(services, flow_run, 3))
    answer = run_prefect(services, "flow-run", "cancel", str(flow_run.id))
    assert answer.returncode == 0, answer.stdout
    worker.wait(timeout=15)
    services.wait_for_state(flow_run, "Cancelled")
    told = services.mlflow_run(flow_run)
    assert told.info.status == "KILLED"
    assert told.data.tags["zoo_reason"] == "cancelled in Prefect"


@pytest.fixture
def hook():
    """A server on this machine that keeps what is posted to it."""
    kept = []

    class Keeping(BaseHTTPRequestHandler):
        def do_POST(self):
            kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Keeping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", kept
    server.shutdown()


def test_a_gates_refusal_is_posted_to_whom_it_concerns(services, hook):
    url, kept = hook
    deployed = ["deploy", "--prefect-file", str(services.prefect_file), "--notify", url]
    assert run_zoo(services, *deployed).returncode == 0
    strict = load_config(CONFIGS / "smoke.yaml", ["name=strict", "gate.at_least=0.9"])
    run = services.start_run(config=strict.model_dump(mode="json"), steps=3)
    wait_for(lambda: kept)
    assert kept[0] == {
        "text": "models:/strict/1 was refused by its gate: ap50 0.7500 is not at least 0.9",
        "model": "strict",
        "version": "1",
        "reasons": ["ap50 0.7500 is not at least 0.9"],
        "flow_run": str(run.id),
    }
    services.wait_for_state(run, "Completed")


def test_a_notification_goes_to_an_address(services):
    answer = run_zoo(services, "deploy", "--notify", "somebody")
    assert answer.returncode == 2
    assert "--notify: expected an http:// or https:// address; got somebody" in answer.stderr


def test_a_crashed_run_is_run_again_from_its_checkpoint(services):
    flow_run = services.start_run(steps=40, delay=0.1)
    worker = psutil.Process(worker_pid(services, flow_run, 12))
    worker.parent().send_signal(signal.SIGKILL)  # the flow's own process
    worker.send_signal(signal.SIGKILL)
    services.wait_for_state(flow_run, "Completed", "Failed")
    assert services.state(flow_run).name == "Completed"
    with services.client() as client:
        assert client.read_flow_run(flow_run.id).run_count == 2
    folder = services.folder(flow_run)
    events = read_journal(folder.journal)
    assert [event["step"] for event in events if event["kind"] == "step"] == list(range(1, 41))
    assert [event["step"] >= 10 for event in events if event["kind"] == "resumed"] == [True]
    assert kinds(folder)["finished"] == 1
    assert services.mlflow_run(flow_run).info.status == "FINISHED"


def test_a_run_that_has_crashed_often_is_not_run_again():
    """The server counts a run's starts in the events that the automation matches."""
    rerun = next(one for one in automations("zoo") if "rerun" in one.name)
    counts = rerun.trigger.match.root["prefect.run-count"]
    assert counts == [str(count) for count in range(1, MAX_RERUNS + 1)]


def test_everything_listens_on_this_machine_only(services):
    listening = {
        connection.laddr.ip
        for process in services.family()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
