"""Speed of training TinySSD on each backend, beside the book's code in plain PyTorch.

    python benchmarks/train_tiny_ssd.py [--rounds 5] [--steps 4]

Every contender is a process of its own with the same allocator settings; they take turns, a few
steps each, so that a slower spell of the machine falls on all of them. The step is whole: forward,
targets from boxes, the book's loss, gradients, update; batch 32 of 256x256, SGD .2 with weight
decay 5e-4, one box a picture. Figures are medians over the rounds; ratios are taken round by round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from flows.runtime import bfloat16_support, installed_backends, worker_environment

RESULTS = Path(__file__).parent / "results" / "train_tiny_ssd.jsonl"
BATCH, SIDE = 32, 256
PEER = "plain PyTorch, float32"


def contenders() -> dict[str, tuple[str, str]]:
    """Return name -> (backend or "book", precision) of all that can run here."""
    rows = {PEER: ("book", "float32")}
    if bfloat16_support()[0]:
        rows["plain PyTorch, channels last, bfloat16 autocast"] = ("book", "mixed_bfloat16")
    for backend in installed_backends():
        rows[f"zoo on {backend}, float32"] = (backend, "float32")
        if backend != "jax" and bfloat16_support()[0]:
            rows[f"zoo on {backend}, mixed_bfloat16"] = (backend, "mixed_bfloat16")
    return rows


def serve(kind, precision):
    """Be a contender: for each line "N" on stdin, train N steps and print the seconds."""
    train = _book(precision) if kind == "book" else _zoo(kind, precision)
    train(2)
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        train(int(line))
        print(time.perf_counter() - start, flush=True)


def _batch():
    import numpy as np

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype=np.uint8)
    corners = rng.uniform(0, 0.6, (BATCH, 1, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.2, 0.4, (BATCH, 1, 2))], axis=-1)
    return images, boxes.astype(np.float32), np.zeros((BATCH, 1), np.int32)


def _book(precision):
    import numpy as np
    from book_pytorch import Trainer

    images, boxes, labels = _batch()
    rows = np.concatenate([labels[..., None], boxes], axis=-1).astype(np.float32)
    trainer = Trainer(images, rows, tuned=precision == "mixed_bfloat16")

    def train(steps):
        for _ in range(steps):
            trainer.step()

    return train


def _zoo(backend, precision):
    from flows.runtime import prepare_process

    prepare_process(backend)
    import keras
    import tensorflow as tf

    import zoo
    from zoo.losses import AnchorMeanLoss

    images, boxes, labels = _batch()
    batches = tf.data.Dataset.from_tensors((images, {"boxes": boxes, "labels": labels})).repeat()
    options = tf.data.Options()
    options.autotune.enabled = False  # as in zoo's pipeline; its thread can hold up the end of fit
    batches = batches.with_options(options)
    task = zoo.create("tiny_ssd", num_classes=1, loss=AnchorMeanLoss(), dtype=precision)
    task.compile(optimizer=keras.optimizers.SGD(0.2, weight_decay=5e-4))

    def train(steps):
        task.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    return train


def _start(kind, precision):
    backend = "torch" if kind == "book" else kind
    environment = worker_environment(backend)
    command = [sys.executable, __file__, "--serve", kind, precision]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def _ask(process, steps):
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(rounds, steps):
    """Return name -> pictures a second in each round, the contenders taking turns."""
    processes = {}
    for name, arguments in contenders().items():
        processes[name] = _start(*arguments)
        processes[name].stdout.readline()  # "ready": compile one after another, not all at once
    rates = {name: [] for name in processes}
    for _ in range(rounds):
        for name, process in processes.items():
            rates[name].append(steps * BATCH / _ask(process, steps))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return rates


def main():
    """Measure, print the table and append one JSON line a contender."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(*args.serve)
        return
    rates = measure(args.rounds, args.steps)
    print(f"{'':50} {'pictures/s':>10} {'min-max':>13} {'ratio':>6}")
    with RESULTS.open("a") as file:
        for name, rounds in rates.items():
            pairs = zip(rounds, rates[PEER], strict=True)
            ratio = statistics.median(mine / peer for mine, peer in pairs)
            spread = f"{min(rounds):.1f}-{max(rounds):.1f}"
            print(f"{name:50} {statistics.median(rounds):10.1f} {spread:>13} {ratio:6.2f}")
            row = {"contender": name, "pictures_per_second": rounds, "ratio": ratio}
            row |= {"cores": os.cpu_count(), "batch": BATCH, "side": SIDE}
            file.write(json.dumps(row | {"time": time.strftime("%F")}) + "\n")


if __name__ == "__main__":
    main()
