"""Fine-tuning against training from scratch, and what each part of it gives.

    python benchmarks/fine_tuning.py --data PETS [--seeds 3] [--arms fine_tuned scratch ...]

PETS is a folder of train/CLASS and val/CLASS with pictures, such as the Oxford-IIIT Pet data set's
37 breeds. An arm is `zoo train configs/classifier_pets.yaml` with overrides: the same network,
pictures, augmentation and steps; scores are the registered file's, after the last epoch. Every
run is in MLflow, and what is done is not done twice. Prints a table, writes a JSON line a run to
benchmarks/results/fine_tuning.jsonl.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

CONFIG = "configs/classifier_pets.yaml"
RESULTS = Path(__file__).parent / "results" / "fine_tuning.jsonl"
FRESH = ("model.reuse_rows=null",)
ARMS = {
    "fine_tuned": FRESH,
    "scratch": (
        *FRESH,
        "model.options.backbone_weights=null",
        "model.options.frozen_norm=false",
        "train.optimizer.head_multiplier=1",
        "train.optimizer.learning_rate=2.0e-3",  # random weights need a larger one
    ),
    "head_x1": (*FRESH, "train.optimizer.head_multiplier=1"),
    "frozen_bottom": (*FRESH, "model.options.freeze=3"),
    "moving_statistics": (*FRESH, "model.options.frozen_norm=false"),
    "unfreezing": (*FRESH, "train.unfreeze_every=1"),
    "rows": (),
    "rows_head_x1": ("train.optimizer.head_multiplier=1",),
}


def run(arm, seed, options):
    """Train one arm with one seed; return what `zoo train --json` tells of it, in short."""
    settings = (
        f"name=fine_tuning_{arm}",
        f"data.path={options.data}",
        f"train.seed={seed}",
        f"train.evaluate_every={options.epochs}",
        f"train.epochs={options.epochs}",
        "gate=null",
        *ARMS[arm],
        *options.set,
    )
    command = [sys.executable, "-m", "flows.cli", "train", CONFIG, "--json"]
    for setting in settings:
        command += ["--set", setting]
    summary = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    scores = {name: summary["metrics"][name] for name in ("top1", "top5", "cross_entropy")}
    about = {name: summary[name] for name in ("backend", "precision", "mlflow_run_id")}
    return scores | about | {"seconds": summary["timings"]["total"]}


def show(arm, rows):
    """Print a row of the table: means, the spread of top-1, the first digits of the run ids."""
    top1, top5, seconds = ([row[name] for row in rows] for name in ("top1", "top5", "seconds"))
    spread = statistics.stdev(top1) if len(top1) > 1 else 0.0
    numbers = f"{statistics.mean(top1):6.3f} {spread:6.3f} {statistics.mean(top5):6.3f}"
    runs = " ".join(row["mlflow_run_id"][:8] for row in rows)
    print(f"{arm:18} {numbers} {statistics.mean(seconds):8.0f}  {runs}", flush=True)


def main():
    """Train every arm with every seed, one after another, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of train/CLASS and val/CLASS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of every arm's config"
    )
    options = parser.parse_args()
    print(f"{'':18} {'top1':>6} {'sd':>6} {'top5':>6} {'s a run':>8}  runs", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    for arm in options.arms:
        rows = [run(arm, seed, options) for seed in range(options.seeds)]
        with RESULTS.open("a") as results:
            for seed, row in enumerate(rows):
                about = {"arm": arm, "seed": seed, "overrides": [*ARMS[arm], *options.set]}
                results.write(json.dumps(about | row | {"cores": os.cpu_count()}) + "\n")
        show(arm, rows)


if __name__ == "__main__":
    main()
