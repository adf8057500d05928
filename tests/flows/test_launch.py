"""What `zoo launch-file` writes: accepted by Kubernetes, and every pod finds its place by it."""

import json
import re
import subprocess

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cases import ROOT
from pods import host_names, job_spec, read_manifests, start_of

from flows.config import Config, config_hash, load_config
from flows.launch import Launch, prepare
from flows.launch_kubernetes import render_job, render_jobset
from flows.launch_slurm import render_script
from flows.run_folder import claim_folder
from flows.runtime import UserError
from zoo.training.distribution import find_place

pytestmark = pytest.mark.any_backend
FLOAT32 = ["precision=float32"]
PODS = {"image": "registry.example/zoo:1", "claim": "zoo", "mount": "/zoo", "mlflow": None}
RENDERERS = {"job": render_job, "jobset": render_jobset}
KUBERNETES = ("1.31", "1.37")  # the first whose podFailurePolicy is stable, and a late one


def launch_of(overrides=(), backend="torch", **given) -> Launch:
    has = {"nodes": 2, "gpus": 1, "cpus": 4, "memory": 8, "home": "/zoo/mlruns"} | given
    return prepare(ROOT / "configs/smoke.yaml", [*FLOAT32, *overrides], backend, **has)


@pytest.fixture(params=RENDERERS)
def rendered(request):
    """A function: launch -> the manifests of a Job or of a JobSet."""

    def render(launch, **more):
        return read_manifests(RENDERERS[request.param](launch, **PODS | more))

    return render


def check(manifest):
    for version in KUBERNETES:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_kubernetes_takes_the_manifests(rendered):
    manifests = rendered(launch_of(), mlflow="http://mlflow:5000")
    jobset = manifests.pop("JobSet", None)
    assert set(manifests) == {"ConfigMap", "Follower"} | (set() if jobset else {"Job", "Service"})
    for manifest in manifests.values():
        check(manifest)
    if jobset:
        schema = yaml.safe_load((ROOT / "tests/flows/jobset_schema.yaml").read_text())
        jsonschema.validate(jobset, schema)
        spec = job_spec({"JobSet": jobset})
        check({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": spec})


def test_a_misspelt_field_is_refused(rendered):
    """That the check above can fail."""
    manifests = rendered(launch_of())
    manifests["ConfigMap"]["dta"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        check(manifests["ConfigMap"])


FAMILIES = {
    "tensorflow": ("TF_CONFIG",),
    "torch": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"),
    "jax": ("JAX_PROCESS_ID", "JAX_NUM_PROCESSES", "JAX_COORDINATOR_ADDRESS"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pod_finds_its_place_by_each_framework_s_variables(rendered, family):
    manifests = rendered(launch_of(nodes=4))
    hosts = host_names(manifests)
    for index in range(4):
        environment, _ = start_of(job_spec(manifests), index)
        place = find_place({name: environment[name] for name in FAMILIES[family]})
        assert (place.rank, place.size, place.local_rank) == (index, 4, 0)
        assert place.address == f"{hosts[0]}:29400"
    if family == "tensorflow":
        assert place.workers == tuple(f"{host}:29400" for host in hosts)


def test_the_service_gives_its_names_to_the_pods_of_the_job():
    manifests = read_manifests(render_job(launch_of(), **PODS))
    service, job = manifests["Service"], manifests["Job"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["metadata"]["name"] == job["spec"]["template"]["spec"]["subdomain"]
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": job["metadata"]["name"]}


@pytest.mark.parametrize("name", ["a", "Tiny_SSD.of__bananas-" + "x" * 60])
def test_names_are_those_that_kubernetes_takes(rendered, tmp_path, name):
    config = tmp_path / "x.yaml"
    config.write_text(
        (ROOT / "configs/smoke.yaml").read_text().replace("name: smoke", f"name: {name}")
    )
    has = {"nodes": 8, "gpus": 1, "cpus": 4, "memory": 8, "home": "/zoo/mlruns"}
    manifests = rendered(prepare(config, FLOAT32, "torch", **has), mlflow="http://m")
    names = [manifest["metadata"]["name"] for manifest in manifests.values()]
    for label in [*names, *host_names(manifests)[-1].split(".")]:
        assert re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", label), label


def test_the_folder_is_the_one_that_zoo_train_takes(rendered, tmp_path):
    """So whoever follows the run finds it."""
    launch = launch_of(home=str(tmp_path / "mlruns"))
    manifests = rendered(launch)
    _, command = start_of(job_spec(manifests), 0)
    assert command[:4] == ["python", "-m", "flows.worker", "train"]
    config = Config.model_validate(yaml.safe_load(manifests["ConfigMap"]["data"]["config.yaml"]))
    assert config == launch.config
    with claim_folder(config, tmp_path / "mlruns", again=False) as folder:
        assert str(folder.path) == command[4]


def test_the_follower_starts_no_worker():
    manifests = read_manifests(render_job(launch_of(), **PODS | {"mlflow": "http://m:5000"}))
    environment, command = start_of(manifests["Follower"]["spec"], 0)
    assert command[:3] == ["zoo", "train", "/etc/zoo/config.yaml"]
    config = yaml.safe_load(manifests["ConfigMap"]["data"]["config.yaml"])
    assert config["distribution"]["workers"] == 0
    assert (environment["ZOO_HOME"], environment["MLFLOW_TRACKING_URI"]) == (
        "/zoo/mlruns",
        "http://m:5000",
    )


def test_a_mistake_ends_the_job_and_a_crash_does_not():
    job = read_manifests(render_job(launch_of(nodes=4), **PODS))["Job"]["spec"]
    assert job["podFailurePolicy"]["rules"][0] == {
        "action": "FailJob",
        "onExitCodes": {"containerName": "worker", "operator": "In", "values": [2]},
    }
    assert job["backoffLimit"] == 3 * 4  # all four pods end when one of them dies
    spec = read_manifests(render_jobset(launch_of(restarts=5), **PODS))["JobSet"]["spec"]
    assert spec["failurePolicy"]["maxRestarts"] == 5
    assert spec["failurePolicy"]["rules"][0]["action"] == "FailJobSet"
    assert spec["replicatedJobs"][0]["template"]["spec"]["backoffLimit"] == 0


def test_gpus_and_what_else_a_pod_has(rendered):
    pod = job_spec(rendered(launch_of(memory=24)))["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "4", "memory": "24Gi"},
        "limits": {"memory": "24Gi", "nvidia.com/gpu": "1"},
    }
    assert {"name": "zoo", "persistentVolumeClaim": {"claimName": "zoo"}} in pod["volumes"]
    none = job_spec(rendered(launch_of(gpus=0)))["template"]["spec"]["containers"][0]
    assert "nvidia.com/gpu" not in none["resources"]["limits"]


def test_several_gpus_a_pod_are_torchrun_s(rendered):
    manifests = rendered(launch_of(gpus=4))
    environment, command = start_of(job_spec(manifests), 1)
    leader = host_names(manifests)[0]
    assert command[:6] == [
        "torchrun", "--nnodes=2", "--node-rank=1", "--nproc-per-node=4",
        f"--master-addr={leader}", "--master-port=29400",
    ]  # fmt: skip
    assert environment["OMP_NUM_THREADS"] == "1"
    assert "TF_CONFIG" not in environment  # it would stand before torchrun's own variables


def test_several_gpus_a_pod_are_one_process_on_jax_and_refused_on_tensorflow():
    manifests = read_manifests(render_job(launch_of(backend="jax", gpus=4), **PODS))
    environment, command = start_of(job_spec(manifests), 1)
    assert (environment["JAX_PROCESS_ID"], command[0]) == ("1", "python")
    with pytest.raises(UserError, match=r"Take --gpus 1 and --workers 8"):
        render_job(launch_of(backend="tensorflow", gpus=4), **PODS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "error: backend auto is chosen by the machine that trains"),
        (
            ["--backend", "torch", "--set", "precision=auto"],
            "error: precision auto is chosen by the machine that trains",
        ),
        (
            ["--backend", "torch", "--set", "precision=float32", "--set", "data.batch_size=7"],
            "error: data.batch_size must be a multiple of the 2 devices",
        ),
        (
            ["--backend", "torch", "--set", "precision=float32", "--mount", "zoo"],
            "error: the home must be an absolute path, as the nodes see it; got 'zoo/mlruns'",
        ),
        (
            ["--backend", "torch", "--set", "model.weights=champion"],
            "error: model.weights champion is fetched by the command that trains",
        ),
    ],
)
def test_what_a_cluster_could_not_run_is_told(capsys, monkeypatch, arguments, line):
    from flows import cli

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    command = ["launch-file", "kubernetes", str(ROOT / "configs/smoke.yaml"), "--workers", "2"]
    assert cli.run([*command, "--image", "i", "--claim", "c", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(line)


def test_the_command_prints_what_kubectl_applies(capsys):
    from flows import cli

    command = ["launch-file", "kubernetes", str(ROOT / "configs/smoke.yaml"), "--workers", "2"]
    command += ["--image", "i", "--claim", "c", "--backend", "jax", "--set", "precision=float32"]
    assert cli.run(command) == 0
    assert set(read_manifests(capsys.readouterr().out)) == {"ConfigMap", "Service", "Job"}
    assert cli.run([*command, "--jobset"]) == 0
    assert set(read_manifests(capsys.readouterr().out)) == {"ConfigMap", "JobSet"}


def test_workers_that_others_start_do_not_make_another_run():
    alone = load_config(ROOT / "configs/smoke.yaml", [*FLOAT32, "distribution.kind=multi_worker"],
                        "torch")  # fmt: skip
    assert config_hash(launch_of().config) == config_hash(alone)


def test_a_script_of_slurm_asks_for_what_the_launch_has():
    script = render_script(
        launch_of(gpus=4, cpus=16), setup="module load zoo", directives=["partition=gpu"]
    )
    asked = re.findall(r"^#SBATCH --(.*)$", script, flags=re.MULTILINE)
    assert {"nodes=2", "ntasks-per-node=4", "cpus-per-task=4", "gpus-per-node=4", "mem=8G",
            "requeue", "partition=gpu"} <= set(asked)  # fmt: skip
    assert "\nmodule load zoo\n" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    one = render_script(launch_of(backend="jax", gpus=4))
    assert "ntasks-per-node=1\n" in one  # JAX's process takes all devices of a node


def test_prefect_takes_the_template_of_a_pool(capsys):
    from flows import cli

    assert cli.run(["launch-file", "work-pool", "--image", "i", "--claim", "c"]) == 0
    assert json.loads(capsys.readouterr().out)["job_configuration"]["job_manifest"]["kind"] == "Job"
