"""Fine-tuning against training from scratch, and what each part of it gives.

    python benchmarks/fine_tuning.py --data PETS [--seeds 3] [--arms fine_tuned scratch ...]

PETS is a folder of train/CLASS and val/CLASS with pictures, such as the Oxford-IIIT Pet data set's
37 breeds. All arms train EfficientNet-Lite0 with the same pictures, augmentation and number of
steps; "scratch" differs in its rate, which from random weights must be larger. Scores are of the
last epoch. KERAS_BACKEND chooses the backend. Prints a table and appends a JSON line a run to
benchmarks/results/fine_tuning.jsonl.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from flows.runtime import prepare_process

prepare_process(os.environ.get("KERAS_BACKEND"))

import keras  # noqa: E402

import zoo  # noqa: E402
from zoo.data import (  # noqa: E402
    build_classification_pipeline,
    load_source,
    steps_per_epoch,
)
from zoo.metrics import classification_metrics  # noqa: E402
from zoo.models import reuse_rows  # noqa: E402
from zoo.training import (  # noqa: E402
    UnfreezeStages,
    build_optimizer,
    depth_multipliers,
)
from zoo.weights import classifier_rows, imagenet_classes  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "fine_tuning.jsonl"
BACKBONE = "efficientnet_lite0"
SYNONYMS = {
    "Persian": "Persian cat",
    "Egyptian_Mau": "Egyptian cat",
    "german_shorthaired": "German short-haired pointer",
    "japanese_chin": "Japanese spaniel",
    "leonberger": "Leonberg",
    "wheaten_terrier": "soft-coated wheaten terrier",
}
_TUNED = {"weights": "imagenet", "rate": 1e-4, "head": 10, "frozen_norm": True}
ARMS = {
    "fine_tuned": _TUNED,
    "scratch": {"weights": None, "rate": 2e-3, "head": 1},
    "head_x1": _TUNED | {"head": 1},
    "moving_statistics": _TUNED | {"frozen_norm": False},
    "frozen_bottom": _TUNED | {"freeze": 3},
    "unfreezing": _TUNED | {"unfreeze": 1},
    "rows": _TUNED | {"rows": True},
    "rows_head_x1": _TUNED | {"rows": True, "head": 1},
}


def run(arm, seed, source, options):
    """Train one arm; return its metrics on the validation split and the seconds it took."""
    start = time.monotonic()
    keras.utils.set_random_seed(seed)
    chosen = {"freeze": 0, "frozen_norm": False, "rows": False, "unfreeze": 0} | ARMS[arm]
    task = zoo.create(
        "classifier",
        class_names=source.class_names,
        image_size=options.image_size,
        backbone=BACKBONE,
        backbone_weights=chosen["weights"],
        freeze=chosen["freeze"],
        frozen_norm=chosen["frozen_norm"],
    )
    if chosen["rows"]:
        rows = classifier_rows(BACKBONE, "imagenet")
        synonyms = {name: SYNONYMS[name] for name in SYNONYMS if name in source.class_names}
        print(reuse_rows(task, *rows, imagenet_classes(), synonyms=synonyms))
    _train(task, seed, source, options, chosen)
    _, pictures, labels = zip(*source.class_truth("val"), strict=True)
    metrics = classification_metrics(labels, task.classify(list(pictures)))
    scores = {name: metrics[name] for name in ("top1", "top5", "cross_entropy", "trivial_top1")}
    return scores | {"seconds": time.monotonic() - start}


def _train(task, seed, source, options, chosen):
    steps = steps_per_epoch(source, "train", options.batch_size)
    total = steps * options.epochs
    optimizer = build_optimizer(
        "adam",
        learning_rate=chosen["rate"],
        total_steps=total,
        schedule="cosine",
        warmup_steps=min(steps, total // 4),
        multipliers=depth_multipliers(task, head=chosen["head"]),
    )
    batches = build_classification_pipeline(
        source,
        "train",
        task.image_converter,
        batch_size=options.batch_size,
        training=True,
        seed=seed,
        epochs=options.epochs,
        augment="light",
        cache=True,
    )
    task.compile(optimizer=optimizer)
    callbacks = [UnfreezeStages(chosen["unfreeze"])] if chosen["unfreeze"] else []
    task.fit(
        batches,
        epochs=options.epochs,
        steps_per_epoch=steps,
        callbacks=callbacks,
        verbose=options.verbose,
    )


def main():
    """Train every arm with every seed, one after another, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of train/CLASS and val/CLASS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--precision", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--verbose", type=int, default=0, help="2: a line an epoch")
    options = parser.parse_args()
    keras.mixed_precision.set_dtype_policy(options.precision)
    source = load_source("folder", path=options.data)
    about = {name: value for name, value in vars(options).items() if name not in ("data", "arms")}
    about |= {"backend": keras.backend.backend(), "time": time.strftime("%F")}
    print(f"{'':18} {'top1':>6} {'sd':>6} {'top5':>6} {'s a run':>8}")
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as results:
        for arm in options.arms:
            rows = [run(arm, seed, source, options) for seed in range(options.seeds)]
            for seed, row in enumerate(rows):
                results.write(json.dumps(about | {"arm": arm, "seed": seed} | row) + "\n")
            top1 = [row["top1"] for row in rows]
            spread = statistics.stdev(top1) if len(top1) > 1 else 0.0
            top5, seconds = (
                statistics.mean(row[name] for row in rows) for name in ("top5", "seconds")
            )
            print(f"{arm:18} {statistics.mean(top1):6.3f} {spread:6.3f} {top5:6.3f} {seconds:8.0f}")


if __name__ == "__main__":
    main()
