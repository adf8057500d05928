"""Speed of the input pipeline, beside the training step of TinySSD that it feeds.

    python benchmarks/feed.py [--rounds 5] [--seconds 3] [--backends torch tensorflow jax]
        [--policies none light ssd strong]

Photographs in JPEG files, 5 objects each, are read, decoded, brought to 256x256, augmented and put
into batches of 32, as fast as they come (`pipeline`); the model takes training steps on a batch
that is there already (`step`), and on what the pipeline gives it while it works (`fed`). Files of
256x256 and of 640x480 pixels. A process a backend; in it all take turns, and figures are medians
over the rounds. Lines go to benchmarks/results/feed.jsonl.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from flows.runtime import bfloat16_support, installed_backends, prepare_process, worker_environment

RESULTS = Path(__file__).parent / "results" / "feed.jsonl"
BATCH, MAX_BOXES = 32, 8
AHEAD = 6  # batches that the pipeline has made by the time it is asked
PICTURES, OBJECTS = 512, 5
FILE_SIZES = ((256, 256), (480, 640))
POLICIES = ("none", "light", "ssd", "strong")


def write_photographs(folder: Path, size: tuple[int, int]) -> Path:
    """Write a CSV data set of JPEG cut from photographs."""
    import numpy as np
    from PIL import Image

    from zoo.data.photographs import PHOTOGRAPHS, read_photograph

    rng = np.random.default_rng(0)
    names = PHOTOGRAPHS["train"]
    (folder / "train/images").mkdir(parents=True)
    with (folder / "train/label.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["img_name", "label", "xmin", "ymin", "xmax", "ymax"])
        for number in range(PICTURES):
            pixels = read_photograph(names[number % len(names)]).pixels
            cut = _cut(Image.fromarray(pixels), rng, size)
            cut.save(folder / f"train/images/{number:04d}.jpg", quality=90)
            for _ in range(OBJECTS):
                left, top = rng.uniform(0, 0.6, 2)
                right, bottom = (left, top) + rng.uniform(0.1, 0.4, 2)
                edges = np.array([left, top, right, bottom]) * np.tile([size[1], size[0]], 2)
                table.writerow([f"{number:04d}.jpg", "thing", *edges.round(1)])
    return folder


def _cut(photograph, rng, size):
    """A random part of a photograph, half of its shorter side or more."""
    height, width = size
    across = rng.uniform(0.5, 1) * min(photograph.width, photograph.height * width / height)
    down = across * height / width
    left = rng.uniform(0, photograph.width - across)
    top = rng.uniform(0, photograph.height - down)
    return photograph.resize((width, height), box=(left, top, left + across, top + down))


def contenders(backends: list[str]) -> list[tuple[str, str]]:
    """Return (backend, precision), the quicker precision of each on this machine."""
    quick = "mixed_bfloat16" if bfloat16_support()[0] else "float32"
    return [(name, quick if name == "torch" else "float32") for name in backends]


def measure(backend: str, precision: str, args) -> list[dict]:
    """Measure one backend, in a process of its own."""
    prepare_process(backend)
    task = _task(precision)
    with tempfile.TemporaryDirectory() as folder:
        feeds = {}
        for height, width in FILE_SIZES:
            path = write_photographs(Path(folder) / f"{width}x{height}", (height, width))
            feeds |= {
                (f"{width}x{height}", policy): _feed(path, policy, task, folder)
                for policy in args.policies
            }
        return _rounds(task, feeds, args)


def _task(precision: str):
    import keras

    import zoo
    from zoo.losses import AnchorMeanLoss

    task = zoo.create("tiny_ssd", num_classes=1, loss=AnchorMeanLoss(), dtype=precision)
    task.compile(optimizer=keras.optimizers.SGD(0.01, weight_decay=5e-4))
    return task


def _feed(path: Path, policy: str, task, folder: str):
    from zoo.data import build_pipeline, load_source

    batches = build_pipeline(
        load_source("csv", path=path, data_dir=f"{folder}/cache"),
        "train",
        task.image_converter,
        batch_size=BATCH,
        max_boxes=MAX_BOXES,
        training=True,
        epochs=10**6,
        augment=() if policy == "none" else policy,
    )
    return iter(batches)


def _rounds(task, feeds: dict, args) -> list[dict]:
    """Pictures a second of every feed alone, of the step alone, and of both together."""
    ready = next(iter(feeds.values())).get_next()
    task.train_on_batch(*ready)  # compiles
    rates: dict = {key: {"pipeline": [], "step": [], "fed": []} for key in feeds}
    for _ in range(args.rounds):
        step = _rate(lambda: task.train_on_batch(*ready), args.seconds)
        for key, feed in feeds.items():
            rates[key]["step"].append(step)
            rates[key]["pipeline"].append(_rate(feed.get_next, args.seconds, ahead=AHEAD))
            train = partial(_train_on_next, task, feed)
            rates[key]["fed"].append(_rate(train, args.seconds, ahead=AHEAD))
    return [{"files": files, "policy": policy} | rates[files, policy] for files, policy in feeds]


def _train_on_next(task, feed) -> None:
    task.train_on_batch(*feed.get_next())


def _rate(turn, seconds: float, *, ahead: int = 1) -> float:
    """Pictures a second; the turns that find batches made ahead are not counted."""
    for _ in range(ahead):
        turn()
    turns, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        turn()
        turns += 1
    return turns * BATCH / taken


def main():
    """Measure, print the table and append one JSON line a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--backends", nargs="+", default=installed_backends())
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        print(json.dumps(measure(*args.serve, args)))
        return
    print(f"{'':28}{'files':>9}{'policy':>8}{'pipeline':>10}{'step':>7}{'ratio':>7}{'fed':>7}")
    for backend, precision in contenders(args.backends):
        for row in _in_own_process(backend, precision, args):
            _tell(f"{backend}, {precision}", row)


def _in_own_process(backend: str, precision: str, args) -> list[dict]:
    told = ["--rounds", args.rounds, "--seconds", args.seconds, "--policies", *args.policies]
    command = [sys.executable, __file__, "--serve", backend, precision, *map(str, told)]
    environment = worker_environment(backend)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _tell(name: str, row: dict) -> None:
    pipeline, step, fed = (statistics.median(row[key]) for key in ("pipeline", "step", "fed"))
    pairs = zip(row["pipeline"], row["step"], strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    print(
        f"{name:28}{row['files']:>9}{row['policy']:>8}{pipeline:10.0f}{step:7.1f}{ratio:7.1f}"
        f"{fed:7.1f}"
    )
    facts = {"contender": name, "cores": os.cpu_count(), "time": time.strftime("%F")}
    with RESULTS.open("a") as file:
        file.write(json.dumps(row | facts) + "\n")


if __name__ == "__main__":
    main()
