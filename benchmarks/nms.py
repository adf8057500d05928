"""Speed of non-maximum suppression on each backend, beside the textbook's loop in NumPy.

    python benchmarks/nms.py [--seconds 0.5] [--cores 1]

Every backend is a process of its own; in it each function takes turns with the NumPy loop. The
fastest turn of each counts (on a busy machine the others measure the neighbours); the table holds
them against the loop's fastest of all processes. Boxes are random, float32, IoU threshold .5; the
keeps of all are compared with the loop's, index by index, and a difference ends the benchmark.
"all" keeps as many as survive, "100" the best hundred, and "top 400" looks at the 400 best scores
only, as a detector does. Times contain the way back to NumPy. All run on one core, which is all the
loop can use; `--cores` gives the backends more. Lines go to benchmarks/results/nms.jsonl.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from flows.runtime import installed_backends, prepare_process, worker_environment

RESULTS = Path(__file__).parent / "results" / "nms.jsonl"
CASES = [(300, 1), (1000, 1), (5444, 1), (300, 8), (1000, 8), (5444, 8)]
IOU, LABELS, TOP = 0.5, 5, 400


def contenders() -> list[tuple[str, bool]]:
    """Return (backend, compiled by XLA) of all that can run here."""
    rows = [(backend, backend == "jax") for backend in installed_backends()]
    return rows + [("tensorflow", True)] * (("tensorflow", False) in rows)


def random_boxes(number, batch):
    import numpy as np

    rng = np.random.default_rng(number)
    centres = rng.uniform(0, 1, (batch, number, 2))
    sizes = rng.uniform(0.02, 0.3, (batch, number, 2))
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)
    scores = rng.permuted(np.tile(np.arange(number) / number, (batch, 1)), axis=1)
    labels = rng.integers(0, LABELS, (batch, number))
    return boxes.astype("float32"), scores.astype("float32"), labels.astype("int32")


def greedy(boxes, scores, labels=None, max_output=None):
    """The textbook's loop for one picture."""
    import numpy as np

    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order) and len(kept) != max_output:
        best, order = order[0], order[1:]
        kept.append(int(best))
        sides = np.minimum(boxes[best, 2:], boxes[order, 2:])
        sides = np.maximum(sides - np.maximum(boxes[best, :2], boxes[order, :2]), 0)
        intersection = sides[:, 0] * sides[:, 1]
        lost = intersection / (areas[best] + areas[order] - intersection) > IOU
        order = order[~lost if labels is None else ~(lost & (labels[order] == labels[best]))]
    return kept


def compiled(function, xla):
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=xla)
    return function


def variants(number):
    """Name -> (function of boxes, scores, labels; whether it minds labels; kept at most; first)."""
    from keras import ops

    from zoo.ops import batched_nms, nms

    def plain(max_output):
        return lambda boxes, scores, labels: nms(boxes, scores, IOU, max_output)

    def by_label(boxes, scores, labels):
        return batched_nms(boxes, scores, labels, IOU, number)

    def top(boxes, scores, labels):
        best, index = ops.top_k(scores, TOP)
        few = ops.take_along_axis(boxes, index[..., None], axis=1)
        kept = nms(few, best, IOU, 100)
        found = ops.take_along_axis(ops.cast(index, "int32"), ops.maximum(kept, 0), axis=1)
        return ops.where(kept >= 0, found, -1)

    rows = {
        "nms, all": (plain(number), False, None, None),
        "nms, 100": (plain(100), False, 100, None),
        "batched_nms, all": (by_label, True, None, None),
    }
    return rows | ({"nms, 100 of top 400": (top, False, 100, TOP)} if number > 1000 else {})


def measure(backend, xla, seconds):
    """Print a JSON line for each case and variant."""
    prepare_process(backend)
    for number, batch in CASES:
        arrays = random_boxes(number, batch)
        for name, (function, labelled, most, first) in variants(number).items():
            zoo = _zoo_call(function, xla, arrays)
            loop = _loop_call(arrays, labelled, most, first)
            expected = loop()
            if zoo() != expected:
                raise SystemExit(f"{backend}: {name} of {number} x {batch} keeps other boxes")
            best = _take_turns({"zoo": zoo, "numpy": loop}, seconds)
            row = {"function": name, "boxes": number, "batch": batch}
            row |= {"kept": round(sum(map(len, expected)) / batch)}
            print(json.dumps(row | {k: round(v * 1e3, 3) for k, v in best.items()}), flush=True)


def _zoo_call(function, xla, arrays):
    import keras

    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    quick = compiled(function, xla)
    return lambda: [[i for i in row if i >= 0] for row in _to_lists(quick(*tensors))]


def _to_lists(tensor):
    import keras

    return keras.ops.convert_to_numpy(tensor).tolist()


def _loop_call(arrays, labelled, most, first):
    """The loop, on the `first` best scores if so many are looked at only."""
    import numpy as np

    def one(boxes, scores, labels):
        if first is None:
            return greedy(boxes, scores, labels if labelled else None, most)
        index = np.argsort(-scores, kind="stable")[:first]
        return index[greedy(boxes[index], scores[index], None, most)].tolist()

    return lambda: [one(*row) for row in zip(*arrays, strict=True)]


def _take_turns(functions, seconds):
    """Fastest of several turns, in seconds; at least five turns each."""
    best, spent, turn = {}, 0.0, 0
    while turn < 5 or (spent < seconds and turn < 500):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            took = time.perf_counter() - start
            best[name], spent = min(took, best.get(name, took)), spent + took
        turn += 1
    return best


def show(rows):
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "function", "boxes", "batch", "kept", title="milliseconds (times as fast as the loop)"
    )
    names = list(dict.fromkeys(row["contender"] for row in rows))
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("NumPy loop", justify="right")
    for key in dict.fromkeys((r["function"], r["boxes"], r["batch"], r["kept"]) for r in rows):
        cells = {
            r["contender"]: r for r in rows if (r["function"], r["boxes"], r["batch"]) == key[:3]
        }
        loop = min(row["numpy"] for row in cells.values())
        figures = [f"{row['zoo']:.2f} ({loop / row['zoo']:.1f} x)" for row in cells.values()]
        table.add_row(*map(str, key), *figures, f"{loop:.1f}")
    Console(width=max(80, 46 + 20 * (len(names) + 1))).print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="per function and case")
    parser.add_argument("--cores", type=int, default=1, help="cores of each process (Linux)")
    parser.add_argument("--measure", choices=("graph", "xla"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        backend = os.environ["KERAS_BACKEND"]
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
        return measure(backend, arguments.measure == "xla", arguments.seconds)
    rows = []
    for backend, xla in contenders():
        print(f"measuring {_title(backend, xla)} ...", file=sys.stderr)
        rows += _measured(backend, xla, arguments)
    show(rows)


def _measured(backend, xla, arguments):
    """Measure in a process of its own; append the lines to the results and return them."""
    command = [sys.executable, __file__, "--measure", "xla" if xla else "graph"]
    command += ["--seconds", str(arguments.seconds), "--cores", str(arguments.cores)]
    environment = worker_environment(backend)
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    about = {"contender": _title(backend, xla), "cores": arguments.cores}
    about |= {"load": round(os.getloadavg()[0], 1)}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    rows = [about | json.loads(line) for line in lines]
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.writelines(json.dumps({"time": int(time.time())} | row) + "\n" for row in rows)
    return rows


def _title(backend, xla):
    return f"{backend}, " + ("compiled" if xla else "eager" if backend == "torch" else "graph")


if __name__ == "__main__":
    main()
