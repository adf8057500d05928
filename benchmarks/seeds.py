"""Final AP of one config over several seeds: do the backends train alike, and bfloat16 as float32?

    python benchmarks/seeds.py [--config configs/tiny_ssd_reduced.yaml] [--seeds 3] [--first 0]
        [--backends torch jax] [--workers N]

Every run is a worker process of its own. Initial weights differ between backends, whose random
generators do, so the question is whether the means differ by more than the seeds scatter. torch
runs in mixed_bfloat16 too where the processor has it: `precision: auto` takes it there. With
`--workers 2` every run is one of two processes that share each batch, batch norms included: it
must end as well as one process does. Prints a table and appends a JSON line a run to
benchmarks/results/seeds.jsonl.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flows.config import dump_config, load_config, resolve_config
from flows.journal import last_event, read_journal
from flows.runtime import bfloat16_support, installed_backends, worker_environment

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "seeds.jsonl"


def contenders(backends):
    """Return (backend, precision) of all that are compared here."""
    rows = [(backend, "float32") for backend in backends]
    if ("torch", "float32") in rows and bfloat16_support()[0]:
        rows.append(("torch", "mixed_bfloat16"))
    return rows


def train(config_path, backend, precision, seed, folder, workers=1):
    """Train one run in worker processes; return its last validation metrics and the seconds."""
    overrides = [f"train.seed={seed}", f"precision={precision}"]
    if workers > 1:
        overrides += ["distribution.kind=multi_worker", "distribution.synchronized=true"]
    config = resolve_config(load_config(config_path, overrides, backend))
    run_dir = Path(folder) / f"{backend}-{precision}-{seed}"
    run_dir.mkdir()
    (run_dir / "config.yaml").write_text(dump_config(config))
    start = time.monotonic()
    command = [sys.executable, "-m", "flows.worker", "train", str(run_dir)]
    if workers > 1:
        command = [sys.executable, "-m", "flows.group", str(run_dir), str(workers)]
    environment = worker_environment(backend)
    with (run_dir / "worker.log").open("w") as log:
        subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=log, stderr=log)
    evaluation = last_event(read_journal(run_dir / "journal.jsonl"), "evaluation")
    return evaluation["metrics"], time.monotonic() - start


def main():
    """Train every backend with every seed, one after another, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/tiny_ssd_reduced.yaml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--backends", nargs="+", default=installed_backends())
    parser.add_argument("--workers", type=int, default=1, help="processes that train together")
    args = parser.parse_args()
    if args.workers > 1:
        print(f"{args.workers} processes a run")
    print(f"{'':26} {'AP50 mean':>9} {'sd':>6} {'AP mean':>9} {'sd':>6} {'s a run':>8}")
    with tempfile.TemporaryDirectory() as folder, RESULTS.open("a") as results:
        for backend, precision in contenders(args.backends):
            rows = []
            for seed in range(args.first, args.first + args.seeds):
                metrics, seconds = train(
                    ROOT / args.config, backend, precision, seed, folder, args.workers
                )
                row = {"ap50": metrics["val/ap50"], "ap": metrics["val/ap"], "seconds": seconds}
                rows.append(row)
                about = {"config": args.config, "backend": backend, "precision": precision}
                about |= {"workers": args.workers} if args.workers > 1 else {}
                row = about | {"seed": seed, "time": time.strftime("%F")} | row
                results.write(json.dumps(row) + "\n")
            title = f"{backend}, {precision}"
            print(f"{title:26} {_spread(rows, 'ap50')} {_spread(rows, 'ap')} {_mean(rows):8.0f}")


def _spread(rows, name):
    values = [row[name] for row in rows]
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):9.3f} {deviation:6.3f}"


def _mean(rows):
    return statistics.mean(row["seconds"] for row in rows)


if __name__ == "__main__":
    main()
