"""Whatever dies: trainings under `zoo up`, while their processes are killed and their disk fills.

    python benchmarks/chaos.py [--runs 30] [--seed 0] [--faults disk ...] [--keep FOLDER]

`zoo up` keeps its home on a small disk of its own (a loop mount, which needs root; without it the
full disk is left out). Each backend trains once undisturbed; then runs of the same three configs
are started one after another, and at a random moment of each one thing fails, or two:

    training    kill -9 of the process that trains
    flow        kill -9 of the process that runs the flow
    worker      kill -9 of the Prefect worker
    prefect     kill -9 of Prefect's server
    mlflow      kill -9 of MLflow's server
    up          kill -9 of `zoo up`, which is then started again, as a service manager would
    disk        no byte is free, for 5 to 30 seconds
    data        a training picture is cut to its half, until the run has ended

Of each run it prints what came of it: its end, how often it was started, how many points of how
many metrics were lost, doubled or differ from the undisturbed run's, and the final AP50. Then, that
nothing is left RUNNING, no process is left, and every registered version loads in a fresh process.
Appends a JSON line a run to benchmarks/results/chaos.jsonl. Exit code 1 where something was broken.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from chaos_faults import FAULTS, Disk, Site, may_mount

RESULTS = Path(__file__).parent / "results" / "chaos.jsonl"
BACKENDS = ("torch", "tensorflow", "jax")
ENDS = ("Completed", "Failed", "Cancelled")
PATIENCE = 420.0  # for a run to end: three silences of 90 s and three trainings
CRASHED_FOR_GOOD = 30.0  # a crash is run again after 10 s
TIMED = ("per_second", "seconds", "hardware", "rate_of")  # metrics of the machine, not of the run


@dataclass
class Reference:
    """What came of a backend's undisturbed run: its points, its AP50, its life in seconds."""

    points: dict
    ap50: float
    life: float


def follow(site, flow_run, faults, life, rng):
    """Let faults happen to a run; return its end and what happened when."""
    began, happened = time.monotonic(), []
    due = sorted((rng.uniform(0.0, life), name) for name in faults)
    crashed = None
    while time.monotonic() - began < PATIENCE:
        now = time.monotonic() - began
        if due and now >= due[0][0] and (what := site.do(due[0][1], flow_run, rng)):
            happened.append(f"{what} at {now:.0f} s")
            del due[0]
        site.tend()
        state = site.state(flow_run)
        if state is None or state.name != "Crashed":
            crashed = None
        elif crashed is None:
            crashed = now
        gone = crashed is not None and now - crashed > CRASHED_FOR_GOOD
        if state is not None and (gone or state.name in ENDS):
            return state, happened, now
        time.sleep(0.1)
    return site.state(flow_run), happened, PATIENCE


def disturb(site, backend, faults, reference, rng):
    """Run until every fault has happened before the end; return the row of that run."""
    while True:
        row, _ = run(site, backend, faults, reference.life, rng, reference.points)
        if len(row["happened"]) == len(faults):
            return row | {"sound": is_sound(row, reference.ap50)}
        reference.life = min(reference.life, row["seconds"])


def points(client, run_id):
    """Return (metric, step) -> values of a run, but for what tells of the machine."""
    found = {}
    for name in client.get_run(run_id).data.metrics:
        if any(word in name for word in TIMED):
            continue
        for point in client.get_metric_history(run_id, name):
            found.setdefault((name, point.step), []).append(point.value)
    return found


def compare(found, reference, complete):
    """Count points lost, doubled and different."""
    told = Counter(doubled=0, different=0, lost=0)
    for key, values in found.items():
        told["doubled"] += len(values) - 1
        told["different"] += abs(values[0] - reference.get(key, [float("nan")])[0]) > 1e-4
        told["different"] += key not in reference
    if complete:
        told["lost"] = len(set(reference) - set(found))
    return dict(told)


def run(site, backend, faults, life, rng, reference=None):
    """Start a run, disturb it, judge it; return its row and its points."""
    flow_run = site.start(backend)
    state, happened, seconds = follow(site, flow_run, faults, life, rng)
    site.mend()
    folder, told = site.folder(flow_run), site.flow_run(flow_run)
    row = {
        "backend": backend,
        "faults": list(faults),
        "happened": happened,
        "end": state.name,
        "reason": " ".join((state.message or "").split()).replace(str(site.data), "data"),
        "seconds": seconds,
        "starts": told.run_count,
        "journal": 0 if folder is None else len(folder.journal.read_text().splitlines()),
    }
    tracked = folder is not None and folder.tracking.exists()
    run_id = json.loads(folder.tracking.read_text())["run_id"] if tracked else None
    if run_id is None:
        return row | {"mlflow": None, "ap50": None, "points": None}, {}
    client = site.mlflow_client()
    found = points(client, run_id)
    row["mlflow"] = client.get_run(run_id).info.status
    row["ap50"] = found.get(("final/ap50", 0), found.get(("verified/ap50", 0), [None]))[0]
    row["points"] = len(found)
    row |= compare(found, reference or found, state.name == "Completed")
    return row, found


def is_sound(row, expected):
    """Whether a run came to the undisturbed run's end, or failed and says why."""
    clean = not (row.get("lost") or row.get("doubled") or row.get("different"))
    if row["end"] == "Completed":
        return clean and row["mlflow"] == "FINISHED" and row["ap50"] == expected
    return clean and row["end"] == "Failed" and row["mlflow"] != "RUNNING" and bool(row["reason"])


def versions_load(site):
    """Load every registered version's file in a fresh process; return how many, and the errors."""
    files = site.version_files()
    program = (
        "import sys, keras, zoo\n"
        "for file in sys.argv[1:]:\n"
        "    try: keras.saving.load_model(file)\n"
        "    except Exception as error: print(file, error)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, check=True
    )
    return len(files), answer.stdout.splitlines()


def show(rows):
    """Print a line a run."""
    print("\n| # | backend | what happened | end | starts | s | lost, doubled, other | AP50 |")
    print("|---|---|---|---|---|---|---|---|")
    for number, row in enumerate(rows, 1):
        end = row["end"] + (f": {row['reason'][:160]}" if row["end"] != "Completed" else "")
        counts = ", ".join(str(row.get(key, "-")) for key in ("lost", "doubled", "different"))
        ap50 = "-" if row["ap50"] is None else f"{row['ap50']:.4f}"
        print(
            f"| {number} | {row['backend']} | {'; '.join(row['happened']) or 'nothing'} | {end} | "
            f"{row['starts']} | {row['seconds']:.0f} | {counts} | {ap50} |"
        )


def plan(runs, names, rng):
    """Return each run's faults: every kind as often as the others, two at once now and then."""
    deck = [names[index % len(names)] for index in range(runs)]
    rng.shuffle(deck)
    return [{first, rng.choice(names)} if rng.random() < 0.3 else {first} for first in deck]


def main():
    """Run, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--keep", type=Path, help="where the logs stay")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    faults = [name for name in args.faults if name != "disk" or may_mount()]
    if faults != args.faults:
        print("# no root: the full disk is left out")
    with ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        disk = stack.enter_context(Disk(folder / "disk", mounted="disk" in faults))
        site = stack.enter_context(Site(folder, disk))
        references, rows = {}, []
        for backend in args.backends:
            row, found = run(site, backend, (), 0.0, rng)
            references[backend] = Reference(found, row["ap50"], row["seconds"])
            print(f"# {row}", flush=True)
        for number, chosen in enumerate(plan(args.runs, faults, rng)):
            backend = args.backends[number % len(args.backends)]
            row = disturb(site, backend, sorted(chosen), references[backend], rng)
            rows.append(row)
            print(f"# {row}", flush=True)
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
        show(rows)
        running, processes = site.left_running(), site.left_behind()
        count, broken = versions_load(site)
    bad = sum(not row["sound"] for row in rows)
    print(f"\nnot sound: {bad} of {len(rows)}")
    print(f"left RUNNING: {running}; processes left behind: {processes}")
    print(f"registered versions that load: {count - len(broken)} of {count} {broken}")
    sys.exit(bool(bad or any(running.values()) or processes or broken))


if __name__ == "__main__":
    main()
