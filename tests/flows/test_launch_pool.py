"""The template of a Kubernetes work pool: taken by Prefect, and what its worker makes of it."""

import asyncio
import json
import os
import subprocess
import sys
import uuid

import kubernetes_validate
import pytest
from prefect.client.schemas.objects import FlowRun
from services import PROJECT, Services, run_prefect, run_zoo

from flows.launch_pool import render_template
from flows.run_folder import RunFolder

pytestmark = pytest.mark.any_backend
worker = pytest.importorskip("prefect_kubernetes.worker")
HAS = {
    "image": "registry.example/zoo:1",
    "claim": "zoo",
    "mount": "/zoo",
    "backend": "torch",
    "mlflow": "http://mlflow:5000",
    "cpus": 4,
    "memory": 8,
    "gpus": 1,
}


def job_of(template, flow_run, **variables):
    """Return the Job that Prefect's worker would create for a run."""
    kind = worker.KubernetesWorkerJobConfiguration
    made = asyncio.run(kind.from_template_and_values(template, variables, client=_NoClient()))
    made.prepare_for_flow_run(flow_run)
    return made.job_manifest


class _NoClient:
    """Stands where block documents would be asked for; the template refers to none."""


def check(job):
    pod = job["spec"]["template"]["spec"]
    # Prefect's worker insists on these two where Kubernetes does not know them.
    plain = {key: value for key, value in pod.items() if key not in ("parallelism", "completions")}
    template = job["spec"]["template"] | {"spec": plain}
    job = job | {"spec": job["spec"] | {"template": template}}
    for version in ("1.31", "1.37"):
        kubernetes_validate.validate(job, version, strict=True)


def variables_of(job):
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


@pytest.fixture
def flow_run():
    return FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="keen-owl")


def test_a_run_s_job_is_one_that_kubernetes_takes(flow_run):
    job = job_of(render_template(**HAS), flow_run)
    check(job)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/zoo:1"
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": 1}
    volumes = job["spec"]["template"]["spec"]["volumes"]
    assert {"name": "zoo", "persistentVolumeClaim": {"claimName": "zoo"}} in volumes
    found = variables_of(job)
    assert found["PREFECT__FLOW_RUN_ID"] == str(flow_run.id)
    assert (found["KERAS_BACKEND"], found["OMP_NUM_THREADS"]) == ("torch", "4")
    assert (found["ZOO_HOME"], found["MLFLOW_TRACKING_URI"]) == (
        "/zoo/mlruns",
        "http://mlflow:5000",
    )


def test_a_deployment_s_variables_stand_before_the_pool_s(flow_run):
    changed = {"backend": "jax", "gpus": 4, "cpus": "16", "memory": 64, "image": "other:2"}
    job = job_of(render_template(**HAS), flow_run, env={"ZOO_HOME": "/other"}, **changed)
    check(job)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "other:2"
    assert container["resources"]["requests"] == {"cpu": "16", "memory": "64Gi"}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 4
    found = variables_of(job)
    assert (found["KERAS_BACKEND"], found["ZOO_HOME"]) == ("jax", "/other")


def test_every_variable_of_prefect_s_own_template_is_asked_for():
    ours = render_template(**HAS)
    default = worker.KubernetesWorker.get_default_base_job_template()
    replaced = {"cpu_request", "cpu_limit", "memory_request", "memory_limit", "backoff_limit",
                "cluster_config"}  # fmt: skip
    assert set(default["variables"]["properties"]) - replaced <= set(
        ours["variables"]["properties"]
    )
    assert set(default["job_configuration"]) - set(ours["job_configuration"]) <= {"cluster_config"}


@pytest.mark.slow
def test_a_run_of_the_pool_is_trained_by_what_its_pod_starts(tmp_path):
    """The pod's command and variables as a process here, against a real Prefect server."""
    services = Services(tmp_path / "home", real=True)
    template = tmp_path / "pool.json"
    try:
        services.wait_until_ready()
        volume = tmp_path / "volume"
        volume.mkdir()
        has = HAS | {"mount": str(volume), "mlflow": services.mlflow}
        template.write_text(json.dumps(render_template(**has)))
        api = {"PREFECT_API_URL": f"{services.prefect}/api"}
        create = ["work-pool", "create", "gpus", "--type", "kubernetes"]
        made = run_prefect(services, *create, "--base-job-template", str(template))
        assert made.returncode == 0, made.stderr
        file = str(PROJECT / "prefect.kubernetes.yaml")
        told = run_zoo(services, "deploy", "--pool", "gpus", "--prefect-file", file)
        assert "train/smoke_pod" in told.stdout, told.stderr
        with services.client() as client:
            deployment = client.read_deployment_by_name("train/smoke_pod")
            run = client.create_flow_run_from_deployment(deployment.id)
            pool = client.read_work_pool("gpus")
        job = job_of(pool.base_job_template, run, **deployment.job_variables)
        check(job)
        (container,) = job["spec"]["template"]["spec"]["containers"]
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
        done = subprocess.run(
            [sys.executable, "-m", *container["args"]],
            cwd=volume,
            env=outside | variables_of(job) | api | {"PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        with services.client() as client:
            assert client.read_flow_run(run.id).state.name == "Completed"
        (summary,) = volume.glob("mlruns/runs/*/summary.json")
        assert RunFolder(summary.parent).flow_run.read_text() == str(run.id)
        assert json.loads(summary.read_text())["backend"] == "tensorflow"
    finally:
        services.stop()
