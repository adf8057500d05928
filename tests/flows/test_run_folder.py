"""Which folder a controller gets: a new one, its own, an interrupted one, or none as yet."""

import pytest

from flows.config import load_config, resolve_config
from flows.run_folder import RunFolder, claim_folder, default_home

pytestmark = pytest.mark.any_backend

CONFIG = """
name: one
model: {preset: tiny_ssd, num_classes: 1}
data: {name: bananas, image_size: 64, max_boxes: 4, batch_size: 8}
train: {epochs: 1, optimizer: {learning_rate: 0.1}}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(CONFIG)
    return resolve_config(load_config(path))


def claim(config, home, **options):
    return claim_folder(config, home, **{"again": False} | options)


def test_an_interrupted_run_is_continued_before_a_finished_one_is_looked_at(config, tmp_path):
    for again in (False, True, True):
        with claim(config, tmp_path, again=again) as folder:
            folder.summary.write_text("{}")
    RunFolder(folder.path.with_name(folder.name.removesuffix("-3") + "-2")).summary.unlink()
    with claim(config, tmp_path) as continued:
        assert continued.name.endswith("-2")
        continued.summary.write_text("{}")
    with claim(config, tmp_path) as finished:
        assert finished.path == folder.path


def test_a_flow_run_that_is_run_again_gets_its_own_folder_even_with_again(config, tmp_path):
    with claim(config, tmp_path, again=True, flow_run="a") as first:
        pass
    with claim(config, tmp_path, again=True, flow_run="b") as second:
        pass
    assert second.path != first.path
    with claim(config, tmp_path, again=True, flow_run="a") as back:
        assert back.path == first.path


def test_a_run_that_others_are_at_work_on_is_waited_for(config, tmp_path):
    def leave(folder):
        raise RuntimeError(folder.path)

    with (
        claim(config, tmp_path) as held,
        pytest.raises(RuntimeError, match=held.name),
        claim(config, tmp_path, on_busy=leave),
    ):
        pass
    with claim(config, tmp_path, on_busy=leave) as free:
        assert free.path == held.path


def test_one_that_is_done_is_not_waited_for_when_it_is_run_beside(config, tmp_path):
    with claim(config, tmp_path) as done:
        done.summary.write_text("{}")
    with claim(config, tmp_path, again=True), claim(config, tmp_path) as found:
        assert found.path == done.path


def test_the_home_is_what_zoo_home_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_HOME", raising=False)
    assert default_home() == tmp_path / "mlruns"
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "elsewhere"))
    assert default_home() == tmp_path / "elsewhere"
