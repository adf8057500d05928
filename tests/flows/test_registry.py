"""The registry: a version for a run, names that find it, and the file back."""

import hashlib

import pytest
from mlflow.tracking import MlflowClient

from flows import registered, registry
from flows.promote import Decision
from flows.run_names import resolve_run
from flows.runtime import UserError, installed_backends
from flows.tracking_store import TrackingError, experiment_id, open_store

pytestmark = pytest.mark.any_backend

CONTENT = b"stands for a model"


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "model.keras"
    file.write_bytes(CONTENT)
    return file


def register(file, home, name="bananas", **tags):
    client = MlflowClient()
    run = client.create_run(experiment_id(client, name, home))
    return registry.register(
        file,
        name,
        run_id=run.info.run_id,
        backend=installed_backends()[0],
        kind="detection",
        tags=tags,
    )


def test_the_file_comes_back_by_version_alias_and_path(file, home):
    with open_store(home):
        version = register(file, home, config_hash="0123")
        registry.close("bananas", str(version.version), Decision(True, ["good"]), {"scores": "{}"})
    for name in ("models:/bananas/1", "models:/bananas@champion", "models:/bananas@challenger"):
        found = registered.resolve(name, home)
        assert found.read_bytes() == CONTENT
        assert found.suffix == ".keras"
    assert registered.resolve(str(file), home) == file


def test_a_version_tells_where_it_comes_from(file, home):
    with open_store(home) as uri:
        register(file, home, config_hash="0123")
        version = MlflowClient(uri).get_model_version("bananas", "1")
        assert version.tags == {
            "config_hash": "0123",
            "backend": installed_backends()[0],
            "kind": "detection",
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }


def test_the_servable_model_belongs_to_its_run(file, home):
    with open_store(home):
        run_id = register(file, home).run_id
        client = MlflowClient()
        (model,) = client.search_logged_models([client.get_run(run_id).info.experiment_id])
        assert model.source_run_id == run_id
        assert model.status == "READY"


def test_a_file_on_a_server_is_fetched_once(file, home, monkeypatch):
    monkeypatch.setattr(registered, "is_local_uri", lambda uri: False)
    with open_store(home):
        register(file, home)
    fetched = registered.resolve("models:/bananas/1", home)
    assert fetched == home / "models" / "bananas" / "1" / "model.keras"
    assert fetched.read_bytes() == CONTENT
    assert [path.name for path in fetched.parent.iterdir()] == ["model.keras"]
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", None)
    assert registered.resolve("models:/bananas/1", home) == fetched


def test_registering_a_run_again_gives_the_same_version(file, home):
    with open_store(home):
        version = register(file, home)
        again = registry.register(
            file, "bananas", run_id=version.run_id, backend="torch", kind="style", tags={}
        )
        assert again.version == version.version
        assert len(MlflowClient().search_model_versions("name = 'bananas'")) == 1


def test_a_refused_version_is_tagged_and_the_champion_stays(file, home):
    with open_store(home):
        first, second = register(file, home), register(file, home)
        registry.close("bananas", str(first.version), Decision(True, ["good"]), {})
        registry.close("bananas", str(second.version), Decision(False, ["a", "b"]), {})
        assert registered.find_champion("bananas").version == first.version
        assert registry.aliases("bananas", str(second.version)) == ["challenger"]
        tags = MlflowClient().get_model_version("bananas", str(second.version)).tags
        assert (tags["gate"], tags["gate_reasons"]) == ("failed", "a; b")


def test_without_a_champion_there_is_none(file, home):
    with open_store(home):
        assert registered.find_champion("bananas") is None
        register(file, home)
        assert registered.find_champion("bananas") is None


def test_the_requirements_name_the_backend_and_no_local_build(file, home):
    with open_store(home):
        register(file, home)
        model = registered.resolve("models:/bananas/1", home).parents[1]
    requirements = (model / "requirements.txt").read_text().split()
    names = [line.partition("==")[0] for line in requirements]
    assert {"keras", "mlflow", "numpy", installed_backends()[0]} <= set(names)
    assert not any("+" in line for line in requirements)
    assert (model / "code" / "zoo" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("models:/banana@champion", "models:/banana@champion: no such model; did you mean bananas"),
        ("models:/bananas@champion", "no such model; bananas has @challenger, /1"),
        ("models:/bananas/7", "no such model; bananas has @challenger, /1"),
        ("models:/bananas", "expected models:/name@alias or models:/name/3"),
        ("missing.keras", "missing.keras: no such model"),
    ],
)
def test_a_name_that_is_wrong_is_one_line_with_what_there_is(file, home, model, message):
    with open_store(home):
        register(file, home)
    with pytest.raises(UserError, match=message) as caught:
        registered.resolve(model, home)
    assert "\n" not in str(caught.value)


def test_an_empty_registry_says_so(home):
    with pytest.raises(UserError, match="none is registered yet"):
        registered.resolve("models:/bananas@champion", home)


def test_a_registry_that_is_away_is_one_clear_line(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9 does not answer"):
        registered.resolve("models:/bananas@champion", home)


def test_a_run_is_found_by_its_version_and_by_its_id(file, home):
    folder = home / "runs" / "bananas-0"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("name: bananas")
    with open_store(home):
        version = register(file, home, run_folder=str(folder))
        client = MlflowClient()
        client.set_tag(version.run_id, "run_folder", "/elsewhere/runs/bananas-0")
        lost = client.create_run(experiment_id(client, "bananas", home), tags={"run_folder": "/x"})
    assert resolve_run("models:/bananas/1", home).path == folder
    assert resolve_run("models:/bananas@challenger", home).path == folder
    assert resolve_run(version.run_id, home).path == folder  # a home that was moved
    with pytest.raises(UserError, match="its run folder /x is not on this machine"):
        resolve_run(lost.info.run_id, home)
    with pytest.raises(UserError, match="the tracking store has no such run"):
        resolve_run("f" * 32, home)
    with pytest.raises(UserError, match="bananas has @challenger, /1"):
        resolve_run("models:/bananas@champion", home)
