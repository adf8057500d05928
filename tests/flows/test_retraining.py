"""Is there anything to train? Asked of a real registry, about data that a stand-in tells of."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from flows import origin, registered, registry
from flows.config import load_config, resolve_config
from flows.origin import origin_of
from flows.promote import Decision
from flows.retraining import Changed, look
from flows.runtime import UserError
from flows.skipped import Skipped
from flows.succession import ROLLED_BACK
from flows.tracking_store import open_store

pytestmark = pytest.mark.any_backend

HERE = Path(__file__).parent
DIGEST = {"train": "aa", "val": "bb"}  # of the stand-in's data


def smoke(*overrides):
    return resolve_config(load_config(HERE.parents[1] / "configs" / "smoke.yaml", overrides))


def register(config, home, tmp_path, *, promoted=True, content=b"model"):
    """Register a version of the config that came to its gate; return its number."""
    folder = tmp_path / content.decode() / "artifacts"
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(content)
    told = origin_of(config, DIGEST)
    tags = {
        **told.tags,
        "origin": told.key,
        "sha256": registered.file_digest(folder / "model.keras"),
    }
    client = MlflowClient()
    if not client.search_registered_models():
        client.create_registered_model(config.name)
    made = client.create_model_version(config.name, folder.parent.as_uri(), tags=tags)
    kept = {"gate_conditions": registry.conditions(config)}
    registry.close(config.name, str(made.version), Decision(promoted, ["so it was"]), kept)
    return str(made.version)


def asked(config, home):
    with open_store(home):
        return look(config, home)


def test_without_a_champion_there_is_something_to_train(home, stand_in):
    found = asked(smoke(), home)
    assert isinstance(found, Changed)
    assert (found.because, found.interrupted) == ("there is no champion", False)


def test_the_champions_origin_is_not_trained_again_and_it_tells_so(home, stand_in, tmp_path):
    with open_store(home):
        register(smoke(), home, tmp_path)
    for times in ("1", "2"):
        assert isinstance(asked(smoke(), home), Skipped)
        with open_store(home):
            assert registered.find_champion("smoke").tags["times_skipped"] == times


@pytest.mark.parametrize(
    ("overrides", "changes"),
    [(["train.seed=7"], "config"), (["model.weights=champion"], "config, weights it begins with")],
)
def test_another_config_is_trained(home, stand_in, tmp_path, overrides, changes):
    with open_store(home):
        register(smoke(), home, tmp_path)
    assert asked(smoke(*overrides), home).because == f"changed since the champion: {changes}"


def test_other_code_is_trained(home, stand_in, tmp_path, monkeypatch):
    with open_store(home):
        register(smoke(), home, tmp_path)
    monkeypatch.setattr(origin, "code_version", lambda backend: "other")
    assert asked(smoke(), home).because == "changed since the champion: code"


def test_what_its_gate_refused_is_trained_again_for_another_gate_only(home, stand_in, tmp_path):
    with open_store(home):
        register(smoke("train.seed=7"), home, tmp_path)
        register(smoke(), home, tmp_path, promoted=False, content=b"refused")
    assert "version 2 came of the same" in asked(smoke(), home).reason
    assert isinstance(asked(smoke("gate.at_least=0.1"), home), Changed)


def test_what_was_rolled_back_is_not_trained_again(home, stand_in, tmp_path):
    with open_store(home):
        register(smoke(), home, tmp_path)
        register(smoke("train.seed=7"), home, tmp_path, content=b"second")
        MlflowClient().set_model_version_tag("smoke", "1", ROLLED_BACK, "bad")
    found = asked(smoke("gate.at_least=0.1"), home)  # whatever its gate is now
    assert (
        "version 1 came of the same config, data, code and weights and was rolled" in found.reason
    )


DEFECTS = ["a.xml:3: a box without area", "b.xml:9: another"]


def test_defects_stop_it_with_the_list(home, stand_in):
    stand_in(defects=DEFECTS)
    with pytest.raises(UserError) as caught:
        asked(smoke(), home)
    first, *listed = str(caught.value).splitlines()
    assert first.startswith("data: train has 2 defects in 10 pictures, more than 0.0%")
    assert listed == DEFECTS


def test_as_many_defects_as_are_allowed_are_left_out_and_told(home, stand_in):
    stand_in(defects=DEFECTS)
    allowed = ["data.on_defect=skip", "data.defects_at_most=0.2"]
    news = asked(smoke(*allowed), home).report.news()
    assert news == ["train: 2 defects are left out (degenerate_box 2)"]
    with pytest.raises(UserError, match=r"more than 19\.0%"):
        asked(smoke("data.on_defect=skip", "data.defects_at_most=0.19"), home)


def test_the_champions_file_is_given_to_what_begins_with_it_once(home, tmp_path):
    wants, file = smoke("model.weights=champion"), tmp_path / "champion.keras"
    with open_store(home):
        registered.provide_champion(wants, file, home)
        assert not file.exists()  # there is none as yet
        register(smoke(), home, tmp_path, content=b"first")
        registered.provide_champion(smoke(), file, home)
        assert not file.exists()  # it does not ask for it
        registered.provide_champion(wants, file, home)
        register(smoke("train.seed=7"), home, tmp_path, content=b"second")
        registered.provide_champion(wants, file, home)
    assert file.read_bytes() == b"first"  # whoever is the champion by now
