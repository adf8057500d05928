"""Batch prediction on two real Ray nodes, one of which is killed in the middle."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from ray_nodes import two_nodes

import zoo

pytestmark = [pytest.mark.any_backend, pytest.mark.slow]
BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")


@pytest.fixture
def nodes(monkeypatch):
    with (
        tempfile.TemporaryDirectory(prefix="zoo-") as folder,
        two_nodes(Path(folder), monkeypatch) as cluster,
    ):
        yield cluster


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.keras"
    zoo.create("tiny_ssd", class_names=["a", "b"], image_size=64, max_detections=5).publish(path)
    return path


@pytest.fixture
def pictures(tmp_path):
    """36 pictures and one that is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(36):
        pixels = random.integers(0, 256, (50 + number, 80, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    (folder / "07-poison.jpg").write_bytes(b"no picture")
    return folder


def command(*arguments):
    return [sys.executable, "-P", "-m", "flows.cli", *map(str, arguments)]


def test_a_node_killed_in_the_middle_changes_nothing_of_the_results(
    nodes, model, pictures, tmp_path
):
    out = tmp_path / "out"
    options = ("--min-score", 0, "--backend", BACKEND)
    asked = ("batch-predict", model, "in", "--out", out, *options, "--json")
    spread = ("--shard-size", 6, "--address", nodes.address)
    with subprocess.Popen(
        command(*asked, *spread),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as zoo_command:
        lost = Path(nodes.wait_for_process("flows.worker shard").cmdline()[6])
        assert lost.suffix == ".todo"
        assert not lost.with_suffix(".jsonl").exists()  # the shard that the node dies with
        nodes.kill()
        printed, told = zoo_command.communicate(timeout=500)
    assert zoo_command.returncode == 0, told
    summary = json.loads(printed)
    assert (summary["pictures"], summary["rejected"], summary["answered"]) == (36, 1, 37)
    assert lost.with_suffix(".jsonl").exists()

    assert_as_in_one_process(model, tmp_path, out, options)
    before = {path: path.stat().st_mtime_ns for path in (out / "shards").rglob("*.jsonl")}
    again = subprocess.run(
        command(*asked), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(again.stdout)["answered"] == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "shards").rglob("*.jsonl")} == before


def assert_as_in_one_process(model, tmp_path, out, options):
    subprocess.run(
        command("predict", model, "in", "--out", tmp_path / "one", *options),
        cwd=tmp_path,
        capture_output=True,
        check=False,  # 2: of the picture that is none
    )
    here, spread_out = (
        json.loads((folder / "predictions.json").read_text()) for folder in (tmp_path / "one", out)
    )
    assert len(here) == len(spread_out)
    for one, other in zip(here, spread_out, strict=True):
        assert (one["image_id"], one["category_id"]) == (other["image_id"], other["category_id"])
        # A shard's batches are others, and with them the order of sums in float32.
        np.testing.assert_allclose(one["bbox"], other["bbox"], atol=1e-3)
        np.testing.assert_allclose(one["score"], other["score"], atol=1e-5)
    names = [
        [image["file_name"] for image in json.loads((folder / "images.json").read_text())["images"]]
        for folder in (tmp_path / "one", out)
    ]
    assert names[0] == names[1] == [f"in/{number:02d}.png" for number in range(36)]
    table = pq.read_table(out / "predictions.parquet").to_pylist()
    assert [row["image_id"] for row in table] == [row["image_id"] for row in spread_out]
    (aside,) = json.loads((out / "rejected.json").read_text())
    assert aside["file_name"] == "in/07-poison.jpg"
    assert "not a picture that can be read" in aside["reason"]
