"""Readers hold as much for many pictures as for few; so do the index and the pipeline."""

import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.data.write_layouts import WRITTEN, generate, write_layout
from zoo.data.sources import FORMATS

pytestmark = pytest.mark.any_backend

STREAM = Path(__file__).parents[2] / "benchmarks" / "stream.py"
FEW, MANY = 150, 1500
MEBIBYTE = 2**20


def held_in_the_middle(kind: str, folder: Path, pictures: int) -> int:
    """The bytes of Python objects that a reader holds when it has given most of its pictures."""
    if kind == "folder":
        path = class_folders(folder, pictures)
    else:
        dataset = generate(0, sizes=((4, 4),), splits=(("train", pictures),))
        path = write_layout(kind, folder, dataset)
    tracemalloc.start()
    layout = FORMATS[kind](path)
    reading = layout.pictures("train")
    for _ in range(pictures - 10):
        next(reading)
    gc.collect()
    # other threads of a long session allocate too; what a reader keeps, its own lines allocated
    ours = tracemalloc.Filter(True, "*/zoo/data/*")
    held = tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename")
    tracemalloc.stop()
    assert sum(1 for _ in reading) == 10
    return sum(statistic.size for statistic in held)


def class_folders(folder: Path, pictures: int) -> Path:
    (folder / "train/cat").mkdir(parents=True)
    for number in range(pictures):
        (folder / f"train/cat/{number:06d}.png").touch()
    return folder


QUICK = ("coco", "folder")  # one large file, and many small ones


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in QUICK else [pytest.mark.slow])
        for kind in (*WRITTEN, "folder")
    ],
)
def test_reading_ten_times_the_pictures_holds_no_more(kind, tmp_path):
    few = held_in_the_middle(kind, tmp_path / "few", FEW)
    many = held_in_the_middle(kind, tmp_path / "many", MANY)
    # their names alone, 60 bytes each, would take 80 kB more
    assert many - few < 20_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "coco"])
def test_fifty_thousand_pictures_take_the_memory_of_five_thousand(kind, tmp_path):
    few, many = (resident(kind, pictures, tmp_path / str(pictures)) for pictures in (5_000, 50_000))
    # what is not needed twice stays with the allocator, some MB of it; the pictures are 600 MB
    assert many - few < 48 * MEBIBYTE


def resident(kind: str, pictures: int, folder: Path) -> int:
    """The most memory of a fresh process that indexes a data set and runs it through a pipeline."""
    command = [sys.executable, STREAM, "--memory", kind, str(pictures), "--folder", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["pictures"] == pictures
    return told["peak"]
