"""The compose file and the Kubernetes manifests: legal, and what they name is there.

compose_spec.json is the Compose Specification's schema as docker-compose 1.29.2 carries it
(Apache-2.0); Kubernetes' schemas are those of kubernetes-validate.
"""

import json
import re
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from flows.cli import app

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
FILES = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
MANIFESTS = [
    document
    for file in FILES
    for document in yaml.safe_load_all((DEPLOY / "kubernetes" / file).read_text())
]


def pods():
    """Return (name, labels, pod spec) of whatever starts pods."""
    return [
        (m["metadata"]["name"], m["spec"]["template"]["metadata"]["labels"], spec)
        for m in MANIFESTS
        if (spec := m.get("spec", {}).get("template", {}).get("spec"))
    ]


def test_the_compose_file_is_one():
    schema = json.loads(Path(__file__).with_name("compose_spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)


def test_a_key_that_compose_does_not_know_is_found():
    schema = json.loads(Path(__file__).with_name("compose_spec.json").read_text())
    wrong = json.loads(json.dumps(COMPOSE))
    wrong["services"]["mlflow"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def test_services_wait_for_services_that_there_are_and_only_for_checks_that_exist():
    services = COMPOSE["services"]
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            assert other in services
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other]


def test_only_pages_leave_the_compose_network_and_only_on_this_machine():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:4200:4200", "127.0.0.1:5000:5000"]


def test_every_volume_is_declared_and_used():
    used = {
        volume.split(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert used == set(COMPOSE["volumes"])


def test_no_password_stands_in_a_file():
    example = dict(
        line.split("=") for line in (DEPLOY / "example.env").read_text().splitlines() if "=" in line
    )
    assert set(example.values()) == {""}
    named = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert named == set(example)


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_manifests_are_kubernetes(version):
    assert len(MANIFESTS) == 12
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_each_service_finds_pods_with_its_port():
    for service in (m for m in MANIFESTS if m["kind"] == "Service"):
        (found,) = [
            s for _, labels, s in pods() if service["spec"]["selector"].items() <= labels.items()
        ]
        exposed = {p["containerPort"] for c in found["containers"] for p in c.get("ports", [])}
        assert {port["port"] for port in service["spec"]["ports"]} <= exposed


def test_each_selector_is_that_of_its_own_pods():
    for manifest in MANIFESTS:
        if "selector" in manifest.get("spec", {}) and "template" in manifest["spec"]:
            wanted = manifest["spec"]["selector"]["matchLabels"]
            assert wanted.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()


def test_pods_mount_what_there_is():
    claims = {m["metadata"]["name"] for m in MANIFESTS if m["kind"] == "PersistentVolumeClaim"}
    maps = {m["metadata"]["name"] for m in MANIFESTS if m["kind"] == "ConfigMap"}
    templates = {
        m["metadata"]["name"]: {t["metadata"]["name"] for t in m["spec"]["volumeClaimTemplates"]}
        for m in MANIFESTS
        if m["kind"] == "StatefulSet"
    }
    for name, _, spec in pods():
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        mounted = {v["name"] for c in spec["containers"] for v in c.get("volumeMounts", [])}
        assert mounted == set(volumes) | templates.get(name, set())
        for volume in volumes.values():
            assert volume.get("persistentVolumeClaim", {}).get("claimName", "runs") in claims
            assert volume.get("configMap", {}).get("name", "postgres-databases") in maps


def test_no_pod_is_root_or_without_limits():
    for _, _, spec in pods():
        assert spec["securityContext"]["runAsNonRoot"]
        for container in spec["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"]
            assert "memory" in container["resources"]["limits"]


def test_secrets_have_the_keys_that_the_instructions_make():
    told = (DEPLOY / "kubernetes" / "kustomization.yaml").read_text()
    made = set(re.findall(r"--from-literal=(\w+)=", told))
    used = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for _, _, spec in pods()
        for container in spec["containers"]
        for variable in container.get("env", [])
        if "valueFrom" in variable
    }
    assert used == made


def test_both_say_the_same_commands_and_the_commands_exist():
    composed = {
        name: [*service.get("entrypoint", []), *service["command"]]
        for name, service in COMPOSE["services"].items()
        if "command" in service
    }
    for name, _, spec in pods():
        (container,) = spec["containers"]
        if "command" in container:
            told = [*container["command"], *container.get("args", [])]
            other = [
                part.replace("${POSTGRES_PASSWORD}", "$(POSTGRES_PASSWORD)")
                for part in composed[name]
            ]
            assert told == other
    assert composed["deployments"][1] in get_command(app).commands


def test_the_image_has_what_the_files_start():
    text = (DEPLOY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (.+) \S+$", text, flags=re.MULTILINE)
    assert all((ROOT / name).exists() for line in copied for name in line.split())
    extras = re.search(r"-e '\.\[([\w,]+)\]'", text)[1].split(",")
    assert "servers" in extras
