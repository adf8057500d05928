"""Step time, pictures a second, efficiency and communicated bytes on one device and on two.

    python benchmarks/scaling.py [--steps 10] [--backends torch,tensorflow,jax] [--models resnet18]

A device is one core: a training on one device is held to one, one on two devices has two, and no
operation has more than one thread. Processes of a group are held to a core each. Strong scaling has
the batch of one device, shared by two; weak scaling has it on each. Every training is a process, or
a group, of its own, in a network namespace of its own where the system lets one be made: what its
loopback device sends is what the processes send each other. Medians of the steps after the first
three; beside them the fastest step, and the time that a device computed, which other work on the
machine lengthens less. Prints a table and appends a JSON line a training to
benchmarks/results/scaling.jsonl, which `benchmarks/scaling_forecast.py` reads.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from scaling_steps import MODELS

from flows.runtime import installed_backends, worker_environment
from zoo.training.distribution.scaling import ring_bytes

RESULTS = Path(__file__).parent / "results" / "scaling.jsonl"
STEPS = Path(__file__).parent / "scaling_steps.py"
KINDS = {
    "torch": ("multi_worker",),
    "tensorflow": ("mirrored", "multi_worker"),
    "jax": ("data_parallel", "multi_worker", "model_parallel"),
}
BATCH = {"tiny_ssd": 8, "resnet18": 16}
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "2",  # one would wait for itself in a sum over processes
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "CUDA_VISIBLE_DEVICES": "-1",
}
# A namespace begins with its loopback device down.
_APART = ["unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up && exec "$@"', "-"]


def arms(backend, model):
    """Return (kind, devices, scaling, batch) of all trainings of a model on a backend."""
    batch = BATCH[model]
    return [("none", 1, "one", batch)] + [
        (kind, 2, scaling, size)
        for kind in KINDS[backend]
        for scaling, size in (("strong", batch), ("weak", 2 * batch))
        if (kind, scaling) != ("model_parallel", "weak")  # each device sees the whole batch
    ]


def measure(backend, model, kind, devices, batch, steps):
    """Train; return what the leader told."""
    command = [sys.executable, str(STEPS), model, kind, str(devices), str(batch), str(steps)]
    environment = worker_environment(backend) | _ONE_THREAD
    apart = _APART if can_be_apart() else []
    done = subprocess.run(
        [*apart, *command], env=environment, capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        raise RuntimeError(f"{backend} {kind} {model}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def can_be_apart():
    """Whether this system makes a network namespace for us."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run([*_APART, "true"], capture_output=True).returncode == 0


def figures(told):
    """Return a step's median, its fastest, and a device's computing time, seconds."""
    seconds = told["step_seconds"]
    middle, fastest = statistics.median(seconds), min(seconds)
    return {"median": middle, "fastest": fastest, "cpu": told["cpu_seconds"]}


def describe(backend, model, arm, told, one):
    """Return a result's row; `one`: the figures of one device, of this backend and model."""
    kind, devices, scaling, batch = arm
    seconds = statistics.median(told["step_seconds"])
    size = told["gradient_bytes"]
    shared = devices if scaling == "strong" else 1
    efficiencies = {name: one[name] / shared / figure for name, figure in figures(told).items()}
    counted = None if kind == "model_parallel" else devices * ring_bytes(devices, size)
    measured = told["loopback_bytes"] if kind == "multi_worker" and can_be_apart() else None
    return {
        "model": model,
        "backend": backend,
        "kind": kind,
        "devices": devices,
        "scaling": scaling,
        "batch": batch,
        "step_seconds": seconds,
        "cpu_seconds": told["cpu_seconds"],
        "fastest_step_seconds": min(told["step_seconds"]),
        "images_per_second": batch / seconds,
        "efficiency": efficiencies["median"],
        "efficiency_fastest": efficiencies["fastest"],
        "efficiency_cpu": efficiencies["cpu"],
        "gradient_bytes": size,
        "counted_bytes": counted,
        "measured_bytes": measured,
        "sum_seconds": told["sum_seconds"],
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "time": time.strftime("%F"),
    }


HEADER = (
    "| model | backend | kind | devices | scaling | batch | step ms | images/s | efficiency | "
    "of the fastest steps | of computing time | MB a step, counted | measured |\n|" + 13 * "---|"
)


def line(row):
    """Return a row of the table, Markdown."""
    plain = [row[name] for name in ("model", "backend", "kind", "devices", "scaling", "batch")]
    plain += [f"{1000 * row['step_seconds']:.0f}", f"{row['images_per_second']:.1f}"]
    plain += [f"{row[name]:.2f}" for name in _EFFICIENCIES]
    plain += [megabytes(row[f"{name}_bytes"]) for name in _BYTES]
    return f"| {' | '.join(map(str, plain))} |"


_EFFICIENCIES = ("efficiency", "efficiency_fastest", "efficiency_cpu")
_BYTES = ("counted", "measured")


def megabytes(count):
    return "" if count is None else f"{count / 1e6:.1f}"


def main():
    """Measure every arm, print the table, append the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--backends", default=",".join(installed_backends()))
    parser.add_argument("--models", default=",".join(MODELS))
    args = parser.parse_args()
    print(HEADER, flush=True)
    for model in args.models.split(","):
        for backend in args.backends.split(","):
            for arm in arms(backend, model):
                kind, devices, _, batch = arm
                told = measure(backend, model, kind, devices, batch, args.steps)
                if devices == 1:
                    one = figures(told)
                row = describe(backend, model, arm, told, one)
                print(line(row), flush=True)
                with RESULTS.open("a") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
