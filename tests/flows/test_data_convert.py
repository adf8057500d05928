"""`zoo data convert`: any data set as COCO JSON."""

import json
import subprocess
import sys

import pytest

from flows import worker
from tests.data.tiny_sets import voc_object, write_voc
from zoo.data import load_source

pytestmark = pytest.mark.any_backend


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "cache"))
    name, path = write_voc(tmp_path / "set", voc_object())
    return f"{name}:{path}"


@pytest.mark.slow
def test_command_writes_what_reads_back_as_the_same_records(spec, tmp_path):
    command = [sys.executable, "-P", "-m", "flows.cli", "data", "convert", spec, "out"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "out\n"), answer.stderr
    written = load_source("coco", path=tmp_path / "out")
    name, _, path = spec.partition(":")
    assert written.digest("train") == load_source(name, path=path).digest("train")


def test_folder_that_has_the_split_is_left_alone(spec, tmp_path, capsys):
    arguments = ["convert", f"--out={tmp_path / 'out'}", "--limit=1", spec]
    assert worker.main(arguments) == 0
    before = sorted((tmp_path / "out").rglob("*"))
    capsys.readouterr()
    assert worker.main(arguments) == 2
    (told,) = [json.loads(row) for row in capsys.readouterr().out.splitlines() if "mistake" in row]
    assert told["mistake"].endswith("has a split train already. Name another folder.")
    assert sorted((tmp_path / "out").rglob("*")) == before
