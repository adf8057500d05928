"""The base job template of a Prefect work pool whose flow runs are pods of Kubernetes'.

A flow run's pod is the controller and starts the workers itself, as on any machine, so a training
of such a pool has the GPUs of one pod (`distribution: {kind: multi_worker, workers: N}`). What the
template asks for is a form on Prefect's page and a deployment's `job_variables`.
"""

from typing import Any

Template = dict[str, Any]


def render_template(
    *,
    image: str,
    claim: str,
    mount: str,
    backend: str,
    mlflow: str | None,
    cpus: int,
    memory: int,
    gpus: int,
) -> Template:
    """Return the template, for `prefect work-pool create --base-job-template`.

    Args:
        image: with Python, zoo and the backend; `prefect` is on its PATH.
        claim: the volume claim that holds the home and the data.
        mount: where it is mounted.
        backend, cpus, memory, gpus: what a run has that asks for nothing else; memory in GiB.
        mlflow: the tracking server; None: a database in the home.
    """
    variables = _prefects_variables() | {
        "image": _text("Image", image),
        "claim": _text("Volume claim", claim, "Holds runs and data; all pods mount it."),
        "backend": _text("Backend", backend) | {"enum": ["tensorflow", "jax", "torch"]},
        "mlflow_tracking_uri": _text("MLflow", mlflow or ""),
        "cpus": _text("Cores", str(cpus)),  # a text, as the value of a variable has to be
        "memory": _number("Memory, GiB", memory, 1),
        "gpus": _number("GPUs", gpus, 0),
    }
    return {
        "variables": {"type": "object", "properties": variables, "required": ["image", "claim"]},
        "job_configuration": {
            **{name: f"{{{{ {name} }}}}" for name in _PASSED_ON},
            "job_manifest": _manifest(mount),
        },
    }


_PASSED_ON = (
    "name",
    "env",
    "labels",
    "annotations",
    "command",
    "namespace",
    "job_watch_timeout_seconds",
    "pod_watch_timeout_seconds",
    "stream_output",
)


def _manifest(mount: str) -> Template:
    memory, gpus = "{{ memory }}Gi", "{{ gpus }}"
    variables = {
        "KERAS_BACKEND": "{{ backend }}",
        "OMP_NUM_THREADS": "{{ cpus }}",
        "ZOO_HOME": f"{mount}/mlruns",
        "ZOO_DATA_DIR": f"{mount}/data",
        "MLFLOW_TRACKING_URI": "{{ mlflow_tracking_uri }}",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # the server calls 90 s of silence a crash
    }
    container = {
        "name": "prefect-job",
        "image": "{{ image }}",
        "imagePullPolicy": "{{ image_pull_policy }}",
        "args": "{{ command }}",
        "workingDir": mount,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": {
            "requests": {"cpu": "{{ cpus }}", "memory": memory},
            "limits": {"memory": memory, "nvidia.com/gpu": gpus},
        },
        "volumeMounts": [
            {"name": "zoo", "mountPath": mount},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ],
    }
    pod = {
        "parallelism": 1,  # these two are the Job's; Prefect wants to see them here
        "completions": 1,
        "restartPolicy": "Never",
        "serviceAccountName": "{{ service_account_name }}",
        "containers": [container],
        "volumes": [
            {"name": "zoo", "persistentVolumeClaim": {"claimName": "{{ claim }}"}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": "{{ name }}-",
            "namespace": "{{ namespace }}",
            "labels": "{{ labels }}",
            "annotations": "{{ annotations }}",
        },
        "spec": {
            "backoffLimit": 0,  # Prefect runs it again: the run is the same, and so is its folder
            "ttlSecondsAfterFinished": "{{ finished_job_ttl }}",
            "template": {"spec": pod},
        },
    }


def _prefects_variables() -> Template:
    """Return what every Kubernetes pool of Prefect's asks for, with its defaults."""
    words = {"type": "object", "additionalProperties": {"type": "string"}, "default": {}}
    return {
        "name": _text("Name", None, "Of the jobs."),
        "env": {"title": "Environment variables", **words},
        "labels": {"title": "Labels", **words},
        "annotations": {"title": "Annotations", **words},
        "command": _text("Command", None, "Prefect's own, where there is none."),
        "namespace": _text("Namespace", "default"),
        "service_account_name": _text("Service account", None),
        "image_pull_policy": _text("When to pull the image", "IfNotPresent")
        | {"enum": ["IfNotPresent", "Always", "Never"]},
        "finished_job_ttl": _number("Seconds that a finished job is kept", 86400, 0),
        "job_watch_timeout_seconds": {"title": "Longest run, seconds", "type": "integer"},
        # Images with a backend have gigabytes.
        "pod_watch_timeout_seconds": _number("Longest start of a pod, seconds", 1200, 1),
        "stream_output": {"title": "Show the pod's output", "type": "boolean", "default": True},
    }


def _text(title: str, default: str | None, description: str = "") -> Template:
    given = {} if default is None else {"default": default}
    return {"title": title, "description": description, "type": "string", **given}


def _number(title: str, default: int, minimum: int) -> Template:
    return {"title": title, "type": "integer", "default": default, "minimum": minimum}
