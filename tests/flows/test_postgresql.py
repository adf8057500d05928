"""Prefect's and MLflow's servers on PostgreSQL, artifacts on S3: eight runs at once, nothing lost.

moto's server stands for S3 on this machine.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import boto3
import pytest
from mlflow.tracking import MlflowClient
from moto.server import ThreadedMotoServer
from postgres import binaries, postgres
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from tracking_server import free_port

from flows.journal import read_journal
from flows.registered import resolve
from flows.services import Service, answers_at

pytestmark = [
    pytest.mark.any_backend,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (pg_ctl)"),
]

HERE = Path(__file__).parent
RUNS = 8
KEYS = {
    "AWS_ACCESS_KEY_ID": "zoo",
    "AWS_SECRET_ACCESS_KEY": "zoo",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture
def storage(monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    url = "http://127.0.0.1:{1}".format(*server.get_host_and_port())
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="mlflow")
    yield url, client
    server.stop()


@pytest.fixture
def servers(tmp_path, storage):
    """Yield the addresses of both servers, started as deploy/compose.yaml starts them."""
    url, _ = storage
    with postgres("mlflow", "prefect") as port:
        place = f"zoo@127.0.0.1:{port}"
        mlflow, prefect = free_port(), free_port()
        common = os.environ | {
            "MLFLOW_S3_ENDPOINT_URL": url,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{place}/prefect",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(tmp_path / "prefect"),
        }
        commands = {
            f"http://127.0.0.1:{mlflow}/health": [
                *(sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={mlflow}"),
                f"--backend-store-uri=postgresql+psycopg2://{place}/mlflow",
                "--artifacts-destination=s3://mlflow",
                "--workers=2",
            ],
            f"http://127.0.0.1:{prefect}/api/health": [
                *(sys.executable, "-m", "prefect", "server", "start"),
                *("--host=127.0.0.1", f"--port={prefect}"),
            ],
        }
        running = []
        try:
            for number, (health, command) in enumerate(commands.items()):
                running.append(
                    Service(
                        command[2],
                        command,
                        environment=common,
                        log=tmp_path / f"server{number}.log",
                        answers=answers_at(health),
                    )
                )
            for service in running:
                service.wait_until_ready()
            yield f"http://127.0.0.1:{mlflow}", f"http://127.0.0.1:{prefect}/api"
        finally:
            for service in running:
                service.stop()


def test_eight_runs_at_once_lose_nothing(tmp_path, servers, storage, monkeypatch):
    mlflow, prefect = servers
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": mlflow,
        "PREFECT_API_URL": prefect,
        "STAND_IN": json.dumps({"steps": 40, "delay": 0.05}),
    }
    command = [sys.executable, str(HERE / "drive.py"), str(tmp_path / "home"), "once"]
    controllers = [
        subprocess.Popen(
            [*command, f"train.seed={seed}", "gate.confidence=0.0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(RUNS)
    ]
    summaries = []
    for controller in controllers:
        out, err = controller.communicate(timeout=900)
        assert controller.returncode == 0, err
        summaries.append(json.loads(out))

    client = MlflowClient(mlflow)
    for summary in summaries:
        run = client.get_run(summary["mlflow_run_id"])
        assert run.info.status == "FINISHED"
        assert run.info.artifact_uri.startswith("mlflow-artifacts:")
        told = Counter(
            (key, point.step, point.timestamp, point.value)
            for key in run.data.metrics
            if key.startswith(("train/", "val/"))
            for point in client.get_metric_history(summary["mlflow_run_id"], key)
        )
        assert told == Counter(
            (key, event["step"], int(event["time"] * 1000), value)
            for event in read_journal(Path(summary["run_dir"]) / "journal.jsonl")
            for key, value in event.get("metrics", {}).items()
        )
    versions = client.search_model_versions("name = 'smoke'")
    assert sorted(int(version.version) for version in versions) == list(range(1, RUNS + 1))
    assert {version.tags["gate"] for version in versions} <= {"passed", "failed"}
    with temporary_settings({PREFECT_API_URL: prefect}), get_client(sync_client=True) as api:
        assert Counter(run.state.name for run in api.read_flow_runs()) == {"Completed": RUNS}

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow)
    fetched = resolve("models:/smoke@champion", tmp_path / "other")
    assert json.loads(fetched.read_text())["steps"] == 40
    _, bucket = storage
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket="mlflow")
    kept = [entry["Key"] for page in pages for entry in page["Contents"]]
    assert sum(key.endswith("model.keras") for key in kept) == RUNS
