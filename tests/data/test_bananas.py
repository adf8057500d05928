"""The cached set: painted once, whoever asks, without a network; damaged, it is painted anew."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow_datasets.core.utils import gcs_utils

from zoo.data import load_source
from zoo.data.banana_scenes import paint_scene
from zoo.data.cache import cache_folder
from zoo.pictures import read_picture

pytestmark = pytest.mark.any_backend

LOAD = """
import logging, sys
from zoo.data import load_source
logging.getLogger("zoo").setLevel(logging.INFO)
logging.getLogger("zoo").addHandler(logging.StreamHandler(sys.stdout))
source = load_source("bananas", train_size=100, val_size=2, data_dir=sys.argv[1])
print(source.digest("train"))
"""


def load_elsewhere(folder):
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
    )


def files(folder):
    return sorted(path for path in Path(folder).rglob("*.tfrecord*"))


def test_records_hold_the_painted_pictures(bananas):
    records = {r["image_id"].decode(): r for r in bananas.records("train").as_numpy_iterator()}
    assert sorted(records) == [f"train-{index:05d}" for index in range(22)]
    scene = paint_scene(0, "train", 7)
    record = records["train-00007"]
    np.testing.assert_array_equal(record["boxes"] * 256, [scene.box])
    error = read_picture(record["image"]).astype(float) - scene.pixels
    assert np.abs(error).mean() < 3  # JPEG
    left, top, right, bottom = scene.box
    np.testing.assert_allclose(record["area"], [(right - left) * (bottom - top) / 65536])
    assert record["labels"].tolist() == [0]
    assert record["crowd"].tolist() == [False]
    assert (record["height"], record["width"]) == (256, 256)


def test_second_load_paints_nothing(bananas, cache_dir):
    before = {path: path.stat().st_mtime_ns for path in files(cache_dir)}
    again = load_source("bananas", train_size=22, val_size=5, data_dir=str(cache_dir))
    assert {path: path.stat().st_mtime_ns for path in files(cache_dir)} == before
    assert again.digest("train") == bananas.digest("train")


def test_digest_depends_on_seed_and_split(bananas, tmp_path):
    other = load_source("bananas", seed=1, train_size=2, val_size=2, data_dir=str(tmp_path))
    digests = {source.digest(split) for source in (bananas, other) for split in source.splits}
    assert len(digests) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_damaged_set_is_painted_anew(tmp_path):
    options = {"train_size": 2, "val_size": 2, "data_dir": str(tmp_path)}
    digest = load_source("bananas", **options).digest("train")
    path = next(path for path in files(tmp_path) if "train" in path.name)
    path.write_bytes(path.read_bytes()[:-100])
    assert load_source("bananas", **options).digest("train") == digest


def test_another_version_is_painted_beside(bananas, tmp_path, monkeypatch):
    options = {"train_size": 2, "val_size": 2, "data_dir": str(tmp_path)}
    load_source("bananas", **options)
    monkeypatch.setattr("zoo.data.bananas.GENERATOR_VERSION", "99.0.0")
    load_source("bananas", **options)
    assert any("99.0.0" in path.parts for path in files(tmp_path))


@pytest.mark.slow
def test_processes_starting_at_once_agree_though_one_is_killed(tmp_path):
    killed = load_elsewhere(tmp_path)
    assert killed.stdout.readline().startswith("painting 102 pictures")
    others = [load_elsewhere(tmp_path) for _ in range(2)]
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    reports = [process.communicate()[0].splitlines() for process in others]
    digests = {report[-1] for report in reports}
    assert len(digests) == 1
    assert len(digests.pop()) == 64
    assert sum("painted" in report for report in reports) == 1
    assert not list(tmp_path.rglob("incomplete.*"))


def test_nothing_touches_the_network(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError(f"the network was asked: {arguments}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(gcs_utils, "exists", refuse)
    source = load_source("bananas", train_size=2, val_size=1, data_dir=str(tmp_path))
    assert source.size("train") == 2


def test_painting_prints_nothing(tmp_path, capfd):
    load_source("bananas", train_size=2, val_size=1, data_dir=str(tmp_path)).size("val")
    assert capfd.readouterr().out == ""


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ZOO_DATA_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "keras-vision-zoo"


def test_unwritable_cache_folder_names_the_remedy(tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    with pytest.raises(ValueError, match=r"cannot be written .*Set ZOO_DATA_DIR"):
        load_source("bananas", data_dir=str(blocker / "cache"))


def test_empty_split_is_refused():
    with pytest.raises(ValueError, match="val_size must be at least 1; got 0"):
        load_source("bananas", val_size=0)
