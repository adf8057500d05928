"""What a kubelet makes of a rendered pod: its environment, its command, its mounts."""

import re

import yaml


def read_manifests(text):
    """Return a rendered file's manifests by kind; the second Job is the one that follows."""
    found = {}
    for manifest in yaml.safe_load_all(text):
        kind = manifest["kind"]
        found["Follower" if kind in found or manifest["metadata"]["name"].endswith("-follow")
              else kind] = manifest  # fmt: skip
    return found


def job_spec(manifests):
    """Return the spec of the Job, or of the JobSet's one job."""
    if "Job" in manifests:
        return manifests["Job"]["spec"]
    (replicated,) = manifests["JobSet"]["spec"]["replicatedJobs"]
    return replicated["template"]["spec"]


def host_names(manifests):
    """Return the name by which each pod is found, as the Job or JobSet controller gives it."""
    spec = job_spec(manifests)
    if "Job" in manifests:
        job = manifests["Job"]["metadata"]["name"]
        subdomain = spec["template"]["spec"]["subdomain"]
    else:
        owner = manifests["JobSet"]["metadata"]["name"]
        job = f"{owner}-{manifests['JobSet']['spec']['replicatedJobs'][0]['name']}-0"
        subdomain = manifests["JobSet"]["spec"]["network"].get("subdomain", owner)
    return [f"{job}-{index}.{subdomain}" for index in range(spec["completions"])]


def start_of(spec, index):
    """Return the environment and the command of a Job's pod, as the kubelet starts it.

    `$(NAME)` stands for a variable that was listed before; of others it is left as it is.
    """
    (container,) = spec["template"]["spec"]["containers"]
    path = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    environment = {}
    for entry in container.get("env", []):
        if "value" in entry:
            environment[entry["name"]] = _expand(entry["value"], environment)
        else:
            assert entry["valueFrom"] == {"fieldRef": {"fieldPath": path}}
            environment[entry["name"]] = str(index)
    return environment, [_expand(word, environment) for word in container["command"]]


def _expand(text, environment):
    return re.sub(r"\$\((\w+)\)", lambda m: environment.get(m[1], m[0]), text)
