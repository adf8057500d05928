"""A run folder of a small detector, made by what makes real ones; its names are hostile.

The model is untrained and was scored by the worker's own verb, in this process.
"""

import json
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import zoo
from flows import worker
from flows.config import dump_config, load_config
from flows.journal import Journal
from flows.run_folder import RunFolder
from flows.summary import RunSummary

SMOKE = Path(__file__).parents[2] / "configs" / "smoke.yaml"
SCRIPT = "<script>alert(1)</script>"
NAMES = (SCRIPT, "\"'><img src=x onerror=alert(2)>", "bee & </svg></style></details> wasp")
PICTURE = "'onload=alert(3)' {{ 7 * 7 }}.png"


def make_model(path):
    """Publish an untrained detector; return it."""
    keras.utils.set_random_seed(0)
    task = zoo.create("tiny_ssd", class_names=NAMES, image_size=64)
    task.publish(path)
    return task


def make_data(folder, task, pictures=8):
    """Write a COCO data set of noise, and call what the model sees in half of it the truth."""
    rng = np.random.default_rng(0)
    rows, images = [], []
    for number in range(pictures):
        name = f"{number}{PICTURE}"
        pixels = rng.integers(0, 256, (64, 80, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
        images.append({"id": number + 1, "file_name": name, "width": 80, "height": 64})
        seen = task.detect(pixels)[0]
        for label in range(len(NAMES)):
            x1, y1, x2, y2 = seen.boxes[seen.labels == label][0].tolist()
            box = [x1, y1, x2 - x1, y2 - y1] if number % 2 else [2, 2, 8, 8]
            rows.append(
                {"id": len(rows) + 1, "image_id": number + 1, "category_id": label + 1,
                 "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            )  # fmt: skip
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(NAMES)]
    file = folder / "val.json"
    file.write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    return file


def make_run(home, *, name="hostile", changes=()):
    """Make the folder of a finished run within a home; return it and its metrics."""
    folder = RunFolder(home / "runs" / name)
    data = home / f"data-{name}"
    for path in (folder.path, data):
        path.mkdir(parents=True)
    config = load_config(SMOKE, [f"name={name}", *changes], backend="tensorflow")
    folder.config.write_text(dump_config(config))
    spec = f"coco:{make_data(data, make_model(folder.model))}@val"
    arguments = ["score", str(folder.model), "--data", spec, "--out", str(folder.scores)]
    assert worker.main([*arguments, "--report", str(folder.report_data)]) == 0
    write_journal(folder)
    scores = json.loads(folder.scores.read_text())
    summary(folder, scores).write(folder.summary)
    return folder, scores["metrics"]


def write_journal(folder, *, steps=8, digest="bb"):
    """Write what a worker would have told of a training that went well."""
    with Journal(folder.journal) as journal:
        journal.append("started", **started(digest))
        for step in range(1, steps + 1):
            metrics = {"train/step_loss": 1 / step, "train/learning_rate": 0.01}
            metrics["train/pictures_per_second"] = 20.0
            journal.append("step", step=step, epoch=1, metrics=metrics)
        metrics = {"val/ap50": 0.25, "val/ap": 0.125, "val/loss": 0.5}
        journal.append("evaluation", step=steps, epoch=1, metrics=metrics)
        timings = {"worker_seconds": 3.0, "step_seconds": 2.0, "data_seconds": 0.5}
        journal.append("finished", step=steps, metrics={}, timings=timings)


def started(digest):
    """Return what the journal says at the start."""
    return {
        "backend": "tensorflow",
        "precision": "float32",
        "versions": {"keras": "3"},
        "parameters": {},
        "task": "detection",
        "data_digest": {"train": "aa", "val": digest},
        "train_size": 32,
        "val_size": 8,
        "splits": ["train", "val"],
        "defects": {"val": {SCRIPT: 1}},
        "num_params": 1_000_000,
        "pid": 1,
    }


def summary(folder, scores):
    """Return the end of the story."""
    return RunSummary(
        name=folder.name,
        run_dir=str(folder.path),
        backend="tensorflow",
        backend_reason="asked for",
        precision="float32",
        precision_reason="asked for",
        metrics=scores["metrics"],
        trivial=scores["trivial"],
        verified_on=scores["backend"],
        tracking_uri="sqlite:///none.db",
        mlflow_run_id="0" * 32,
        version="3",
        aliases=["challenger"],
        promoted=False,
        reasons=[f"ap50 is not {SCRIPT}"],
        timings={"total": 9.0, "worker": 4.0, "scoring": 3.0, "step": 2.0, "data": 0.5},
    )
