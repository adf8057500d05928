"""What Prefect and MLflow cost: a scheduled run, the same one skipped, and the controller's memory.

    python benchmarks/orchestration.py [--deployment train/smoke] [--backend torch]

Starts `zoo up` on free ports in a folder of its own, runs a deployment twice and stops everything.
The second run finds nothing changed. Told of each: seconds from its scheduled time to its end as
Prefect has them, seconds that its process lived, and the most memory of that process (the
controller; the worker of Keras is a child of its own). Of the first also what was not the worker's.
Prints a table and appends a JSON line a run to benchmarks/results/orchestration.jsonl.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "orchestration.jsonl"
ENDS = ("Completed", "Skipped", "Failed", "Crashed", "Cancelled")


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def controllers(up):
    """Return the processes of flow runs below `zoo up`."""
    found = []
    for process in up.children(recursive=True):
        try:
            if "prefect.engine" in process.cmdline() or "prefect.flow_engine" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def run(client, up, deployment, backend):
    """Run a deployment to its end; return a row."""
    from prefect.deployments import run_deployment

    flow_run = run_deployment(
        deployment,
        timeout=0,
        as_subflow=False,
        job_variables={"env": {"KERAS_BACKEND": backend}},
    )
    memory, first, last = 0, None, None
    while (state := client.read_flow_run(flow_run.id).state).name not in ENDS:
        for process in controllers(up):
            try:
                memory = max(memory, process.memory_info().rss)
                last = time.monotonic()
                first = first or last
            except psutil.Error:
                continue
        time.sleep(0.2)
    told = client.read_flow_run(flow_run.id)
    return {
        "deployment": deployment,
        "backend": backend,
        "state": state.name,
        "seconds": (told.end_time - told.expected_start_time).total_seconds(),
        "flow_seconds": told.total_run_time.total_seconds(),
        "process_seconds": None if first is None else last - first,
        "controller_mib": memory / 2**20,
    }


def timings(home):
    """Return the timings of the only run's summary."""
    (summary,) = (home / "runs").glob("*/summary.json")
    return json.loads(summary.read_text())["timings"]


def main():
    """Run the deployment twice and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deployment", default="train/smoke")
    parser.add_argument("--backend", default="torch")
    args = parser.parse_args()
    ports = free_port(), free_port()
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{ports[0]}/api"
    from prefect.client.orchestration import get_client

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        command = [sys.executable, "-m", "flows.cli", "up", "--home", str(home)]
        command += ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
        log = Path(folder) / "up.log"
        with log.open("wb") as output:
            up = psutil.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            while "Worker" not in log.read_text(errors="replace"):
                if up.poll() is not None:
                    raise SystemExit(log.read_text(errors="replace"))
                time.sleep(0.5)
            with get_client(sync_client=True) as client:
                rows = [run(client, up, args.deployment, args.backend)]
                rows[0]["timings"] = timings(home)
                rows.append(run(client, up, args.deployment, args.backend))
        finally:
            up.terminate()
            up.wait(timeout=120)
    print("| run | state | s, scheduled to end | s of the flow | controller's memory |")
    print("|---|---|---|---|---|")
    for number, row in enumerate(rows, 1):
        print(
            f"| {number} | {row['state']} | {row['seconds']:.1f} | {row['flow_seconds']:.1f} | "
            f"{row['controller_mib']:.0f} MiB |"
        )
    told = rows[0]["timings"]
    own = rows[0]["flow_seconds"] - told["worker"] - told.get("scoring", 0.0)
    print(f"\nof the first, not the worker's and not scoring: {own:.1f} s")
    with RESULTS.open("a") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
