"""The first losses of one config from one start on every backend, side by side.

    python benchmarks/parity.py                           the full size: 256x256, batch 32, 20 steps
    python benchmarks/parity.py --config configs/tiny_ssd_reduced.yaml --steps 5

Each backend trains in a process of its own, in float32, from the same weights file and on the same
batches. Prints a table and appends one JSON line to benchmarks/results/parity.jsonl.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flows.config import load_config
from flows.runtime import installed_backends, prepare_process, worker_environment

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "parity.jsonl"
# Relative. In the first step only the order of float32 sums differs; each step feeds on the last.
FIRST_STEP_LIMIT, ALL_STEPS_LIMIT = 1e-4, 1e-2


def main() -> int:
    """Measure, print, record; 1 if the backends disagree by more than the limits."""
    args = parse()
    if args.child:
        print(json.dumps(first_losses(load(args), args.steps)))
        return 0
    losses = measure(args)
    first, worst = disagreement(losses)
    record = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "config": str(args.config),
        "set": args.set,
        "losses": losses,
        "first_step": first,
        "worst_step": worst,
    }
    if args.json:
        print(json.dumps(record))
        return 0
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(record) + "\n")
    print_table(losses)
    print(f"largest difference: {first:.1e} in the first step, {worst:.1e} in all")
    return int(first > FIRST_STEP_LIMIT or worst > ALL_STEPS_LIMIT)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/tiny_ssd_bananas.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--backends", nargs="+", default=sorted(installed_backends()))
    parser.add_argument("--json", action="store_true", help="print the record, append nothing")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def load(args):
    return load_config(ROOT / args.config, [*args.set, "precision=float32"])


def measure(args) -> dict[str, list[float]]:
    """Train on each backend in turn; the first one makes the weights that all start from."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start.keras"
        command = [sys.executable, __file__, "--child", "--config", args.config]
        command += ["--steps", str(args.steps)]
        for change in [*args.set, f"model.weights={start}"]:
            command += ["--set", change]
        return {backend: run_child(command, backend) for backend in args.backends}


def run_child(command, backend):
    done = subprocess.run(
        command, env=worker_environment(backend), cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{backend} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def first_losses(config, steps) -> list[float]:
    """Train so many steps on this process' backend and return each step's own loss."""
    prepare_process()
    import keras

    from flows import build

    keras.utils.set_random_seed(config.train.seed)
    source = build.build_source(config)
    start = Path(config.model.weights)
    if not start.exists():
        fresh = config.model.model_copy(update={"weights": None})
        build.build_task(config.model_copy(update={"model": fresh}), source).publish(start)
    task = build.build_task(config, source)
    task.compile(optimizer=build.build_run_optimizer(config, source, task))
    losses = []
    for images, labels in build.build_stream(config, source, task)(0).take(steps):
        labels = {name: value.numpy() for name, value in labels.items()}
        losses.append(float(task.train_on_batch(images.numpy(), labels, return_dict=True)["loss"]))
        task.reset_metrics()
    return losses


def disagreement(losses):
    """Return the largest relative difference of a loss in the first step, and in any."""
    columns = list(zip(*losses.values(), strict=True))
    spread = [(max(step) - min(step)) / abs(min(step)) for step in columns]
    return spread[0], max(spread)


def print_table(losses):
    print("step  " + "".join(f"{backend:>14}" for backend in losses) + "    spread")
    for number, step in enumerate(zip(*losses.values(), strict=True), start=1):
        spread = (max(step) - min(step)) / abs(min(step))
        print(f"{number:4}  " + "".join(f"{loss:14.6f}" for loss in step) + f"{spread:10.1e}")


if __name__ == "__main__":
    sys.exit(main())
