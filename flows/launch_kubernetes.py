"""A training on Kubernetes: an Indexed Job with its headless Service, or a JobSet.

Pods find each other by the names that a headless Service gives them, and each its rank by its
completion index. The kubelet puts that into the variables which torchrun, JAX and TensorFlow know,
so that the image runs the same worker as any other place does, and no script stands between.

When a process dies the whole group has to begin again from the checkpoint. A JobSet does that: it
replaces all pods at once. A plain Job replaces only the pod that died; the others find that out
and end by themselves, and are replaced in turn. JobSet is an add-on, a Job is everywhere.
"""

import json
import re
from typing import Any

import yaml

from flows.config import config_hash, dump_config
from flows.launch import MISTAKE, PORT, Launch
from flows.runtime import UserError

CONFIG_FOLDER = "/etc/zoo"
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
_LONGEST_NAME = 40  # of 63 for a pod's name, which adds the worker's job and index
Manifest = dict[str, Any]


def render_job(launch: Launch, *, image: str, claim: str, mount: str, mlflow: str | None) -> str:
    """Return a ConfigMap, a Service and an Indexed Job as YAML.

    Args:
        launch: the run.
        image: with Python, zoo and the backend; `python` is on its PATH.
        claim: the ReadWriteMany volume claim that all pods, and whoever follows the run, mount.
        mount: where.
        mlflow: a tracking server; with one, a second Job follows the run into it.

    Raises:
        UserError: pods cannot hold this launch.
    """
    name = manifest_name(launch)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": _labels(launch)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,  # they look for each other before they are ready
            "selector": {"batch.kubernetes.io/job-name": name},
            "ports": [{"name": "group", "port": PORT}],
        },
    }
    pod = _worker_pod(launch, image, claim, mount, host=name, subdomain=name)
    # A pod that was moved away does not count; its peers end with it, and they do.
    gone = {"type": "DisruptionTarget", "status": "True"}
    moved = {"action": "Ignore", "onPodConditions": [gone]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": _labels(launch)},
        "spec": _job_spec(launch, pod, failures=launch.restarts * launch.nodes, rules=[moved]),
    }
    follower = [] if mlflow is None else [_follower(launch, image, claim, mount, mlflow)]
    return _yaml(launch, [_config_map(launch), service, job, *follower])


def render_jobset(launch: Launch, *, image: str, claim: str, mount: str, mlflow: str | None) -> str:
    """Return a ConfigMap and a JobSet as YAML; the arguments are those of `render_job`."""
    name = manifest_name(launch)
    pod = _worker_pod(launch, image, claim, mount, host=f"{name}-worker-0", subdomain=name)
    jobset = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": name, "labels": _labels(launch)},
        "spec": {
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "failurePolicy": {
                "maxRestarts": launch.restarts,
                "rules": [
                    {
                        "name": "mistake",
                        "action": "FailJobSet",
                        "onJobFailureReasons": ["PodFailurePolicy"],
                    }
                ],
            },
            "replicatedJobs": [
                {
                    "name": "worker",
                    "replicas": 1,
                    "template": {"spec": _job_spec(launch, pod, failures=0, rules=[])},
                }
            ],
        },
    }
    follower = [] if mlflow is None else [_follower(launch, image, claim, mount, mlflow)]
    return _yaml(launch, [_config_map(launch), jobset, *follower])


def manifest_name(launch: Launch) -> str:
    """Return a name that Kubernetes takes: letters, digits and hyphens, a letter first."""
    plain = re.sub("[^a-z0-9]+", "-", launch.config.name.lower()).strip("-")
    digest = config_hash(launch.config)[:6]
    return f"zoo-{plain}"[: _LONGEST_NAME - len(digest) - 1].rstrip("-") + f"-{digest}"


def _job_spec(launch: Launch, pod: Manifest, *, failures: int, rules: list[Manifest]) -> Manifest:
    mistake = {
        "action": "FailJob",
        "onExitCodes": {"containerName": "worker", "operator": "In", "values": [MISTAKE]},
    }
    return {
        "completionMode": "Indexed",
        "completions": launch.nodes,
        "parallelism": launch.nodes,
        "backoffLimit": failures,
        "podFailurePolicy": {"rules": [mistake, *rules]},
        "template": {"metadata": {"labels": _labels(launch)}, "spec": pod},
    }


def _worker_pod(
    launch: Launch, image: str, claim: str, mount: str, *, host: str, subdomain: str
) -> Manifest:
    """Return the pod of every rank; `host`, a hyphen and its index are a pod's host name."""
    hosts = [f"{host}-{index}.{subdomain}" for index in range(launch.nodes)]
    command = ["-m", "flows.worker", "train", str(launch.folder)]
    command += ["--config", f"{CONFIG_FOLDER}/config.yaml"]
    if launch.processes == 1:
        command, places = ["python", *command], _places(hosts)
    else:
        command, places = _torchrun(launch, hosts[0]) + command, _index("NODE_RANK")
    fixed = launch.settings | launch.environment | {"ZOO_DATA_DIR": f"{mount}/data"}
    memory = {"name": "shared-memory", "emptyDir": {"medium": "Memory"}}
    container = {
        "name": "worker",
        "image": image,
        "command": command,
        "workingDir": mount,  # where relative paths of the config are looked for
        "env": [*places, *_variables(fixed)],
        "ports": [{"name": "group", "containerPort": PORT}],
        "resources": _resources(launch.cpus, launch.memory, launch.gpus),
        "volumeMounts": [
            *_mounts(mount),
            {
                "name": "shared-memory",
                "mountPath": "/dev/shm",
            },  # NCCL's; a container's own is 64 MB
        ],
    }
    return {
        "restartPolicy": "Never",
        "subdomain": subdomain,
        "containers": [container],
        "volumes": [*_volumes(launch, claim), memory],
    }


def _places(hosts: list[str]) -> list[Manifest]:
    """Return the variables of a process that is alone in its pod, for every launcher's readers."""
    cluster = {"worker": [f"{host}:{PORT}" for host in hosts]}
    # The kubelet puts RANK in, which therefore comes first.
    task = '{"type": "worker", "index": $(RANK)}'
    return _index("RANK") + _variables(
        {
            "WORLD_SIZE": str(len(hosts)),
            "LOCAL_RANK": "0",
            "MASTER_ADDR": hosts[0],
            "MASTER_PORT": str(PORT),
            "JAX_PROCESS_ID": "$(RANK)",
            "JAX_NUM_PROCESSES": str(len(hosts)),
            "JAX_COORDINATOR_ADDRESS": f"{hosts[0]}:{PORT}",
            "TF_CONFIG": f'{{"cluster": {json.dumps(cluster)}, "task": {task}}}',
        }
    )


def _torchrun(launch: Launch, leader: str) -> list[str]:
    """Return the head of the command where a pod has several processes."""
    if launch.config.backend != "torch":
        raise UserError(
            f"a pod holds one process of {launch.config.backend}, which takes one GPU; got --gpus "
            f"{launch.gpus}. Take --gpus 1 and --workers {launch.nodes * launch.gpus}"
        )
    return [
        "torchrun",
        f"--nnodes={launch.nodes}",
        "--node-rank=$(NODE_RANK)",
        f"--nproc-per-node={launch.gpus}",
        f"--master-addr={leader}",
        f"--master-port={PORT}",
    ]


def _follower(launch: Launch, image: str, claim: str, mount: str, mlflow: str) -> Manifest:
    """Return the Job of the controller, which follows the workers into MLflow."""
    variables = {"ZOO_HOME": str(launch.home), "MLFLOW_TRACKING_URI": mlflow}
    container = {
        "name": "controller",
        "image": image,
        "command": ["zoo", "train", f"{CONFIG_FOLDER}/config.yaml", "--json"],
        "workingDir": mount,
        "env": _variables(variables | {"ZOO_DATA_DIR": f"{mount}/data"}),
        "resources": _resources(2, 4, 0),  # it scores the published model on cores
        "volumeMounts": _mounts(mount),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{manifest_name(launch)}-follow", "labels": _labels(launch)},
        "spec": {
            "backoffLimit": launch.restarts,
            "template": {
                "metadata": {"labels": _labels(launch)},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [container],
                    "volumes": _volumes(launch, claim),
                },
            },
        },
    }


def _config_map(launch: Launch) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": manifest_name(launch), "labels": _labels(launch)},
        "data": {"config.yaml": dump_config(launch.config)},
    }


def _volumes(launch: Launch, claim: str) -> list[Manifest]:
    return [
        {"name": "zoo", "persistentVolumeClaim": {"claimName": claim}},
        {"name": "config", "configMap": {"name": manifest_name(launch)}},
    ]


def _mounts(mount: str) -> list[Manifest]:
    return [
        {"name": "zoo", "mountPath": mount},
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
    ]


def _resources(cpus: int, memory: int, gpus: int) -> Manifest:
    asked = {"cpu": str(cpus), "memory": f"{memory}Gi"}
    limits = {"memory": f"{memory}Gi"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    return {"requests": asked, "limits": limits}


def _labels(launch: Launch) -> dict[str, str]:
    return {"app.kubernetes.io/name": "zoo", "app.kubernetes.io/instance": manifest_name(launch)}


def _index(name: str) -> list[Manifest]:
    return [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}}]


def _variables(values: dict[str, str]) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _yaml(launch: Launch, manifests: list[Manifest]) -> str:
    head = (
        f"# The training {launch.name}: {launch.nodes} x `python -m flows.worker train` on\n"
        f"# {launch.folder}. With the volume at the same place,\n"
        f"# `ZOO_HOME={launch.home} zoo train CONFIG --workers 0` follows it into MLflow.\n"
    )
    return head + yaml.dump_all(manifests, Dumper=_Plain, sort_keys=False, width=100)


class _Plain(yaml.SafeDumper):
    """Writes equal values out again, where YAML would refer back to the first; texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _block)
