"""Speed of `zoo serve`, beside `mlflow models serve`, and what twice its capacity does to it.

    python benchmarks/serving.py smoke@champion [--home mlruns] [--backend torch] [--seconds 60]
        [--concurrency 32] [--rounds 3] [--overload 2]

A registered detector is served by both at once, on one backend, each on its defaults; photographs
of 320x240 pixels go to one of them at a time. The closed loops take turns: MLflow's JSON to both,
and JPEG as it is to `zoo serve`, with the same clients. Its capacity is what it answers of these;
then an open loop asks for `--overload` times as much. Every answer is compared with
`task.detect`'s. The clients are a process of their own (`serving_load.py`) on the same cores. A
line goes to benchmarks/results/serving.jsonl.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from serving_load import Load

from flows.runtime import prepare_process, worker_environment
from flows.serve_versions import open_versions

RESULTS = Path(__file__).parent / "results" / "serving.jsonl"
PICTURES, HEIGHT, WIDTH = 24, 240, 320
START_SECONDS = 300.0


def write_pictures(folder: Path, model: str) -> None:
    """Write photographs and what the model detects on them; for a process of its own."""
    prepare_process()
    import numpy as np
    from PIL import Image

    import zoo
    from zoo.data.photographs import PHOTOGRAPHS, read_photograph

    rng = np.random.default_rng(0)
    names = PHOTOGRAPHS["train"]
    for number in range(PICTURES):
        image = Image.fromarray(read_photograph(names[number % len(names)]).pixels).convert("RGB")
        side = min(image.width / WIDTH, image.height / HEIGHT) * rng.uniform(0.5, 1.0)
        width, height = int(WIDTH * side), int(HEIGHT * side)
        left, top = rng.integers(0, [image.width - width + 1, image.height - height + 1])
        cut = image.crop((left, top, left + width, top + height)).resize((WIDTH, HEIGHT))
        cut.save(folder / f"{number}.jpg", quality=90)
    found = zoo.load(model).detect([folder / f"{number}.jpg" for number in range(PICTURES)])
    expected = [
        {name: getattr(one, name).tolist() for name in ("boxes", "scores", "labels")}
        for one in found
    ]
    (folder / "expected.json").write_text(json.dumps(expected))


@contextmanager
def server(command: list[str], health: str, environment: dict) -> Iterator[psutil.Process]:
    """Run a server until the block ends."""
    with tempfile.TemporaryFile() as log:
        process = psutil.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(health):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"{' '.join(command)} does not answer: {log.read().decode()}")
                time.sleep(0.2)
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status == 200
    return False


class Memory(threading.Thread):
    """The memory of a process and its children, MiB, twice a second; a context manager."""

    def __init__(self, process: psutil.Process):
        super().__init__(daemon=True)
        self._process, self._ended = process, threading.Event()
        self.seen = [self.now()]

    def now(self) -> float:
        """Return it as it is."""
        family = [self._process, *self._process.children(recursive=True)]
        return sum(one.memory_info().rss for one in family) / 2**20

    def run(self) -> None:
        while not self._ended.wait(0.5):
            self.seen.append(self.now())

    def __enter__(self) -> "Memory":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self.join()


def put_under(load: Load) -> dict:
    """Run a load in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("serving_load.py"))]
    spec = json.dumps(vars(load))
    done = subprocess.run(command, input=spec, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def closed_loops(urls: dict[str, tuple[str, bool]], folder: str, args) -> dict[str, dict]:
    """Return of each endpoint its requests a second, round by round, and what went wrong."""
    rows: dict[str, dict] = {name: {"rates": [], "p50": [], "wrong": 0} for name in urls}
    for turn in range(args.rounds + 1):  # the first one warms up
        for name, (url, as_json) in urls.items():
            outcome = put_under(
                Load(url, as_json, folder, args.turn_seconds, concurrency=args.concurrency)
            )
            rows[name]["wrong"] += outcome["wrong"] + outcome["statuses"].get("error", 0)
            if turn:
                rows[name]["rates"].append(outcome["right"] / outcome["elapsed"])
                rows[name]["p50"].append(statistics.median(outcome["seconds"]))
            print(f"{name:<12} {outcome['right'] / outcome['elapsed']:8.1f} requests/s", flush=True)
    return rows


def overload(url: str, rate: float, folder: str, process: psutil.Process, args) -> dict:
    """Return what an open loop at this rate brings."""
    with Memory(process) as memory:
        outcome = put_under(Load(url, False, folder, args.seconds, rate=rate))
    time.sleep(2.0)
    asked = sum(outcome["statuses"].values())
    return {
        "rate": rate,
        "asked": asked,
        "accepted": outcome["statuses"].get("200", 0),
        "refused": outcome["statuses"].get("429", 0),
        "statuses": outcome["statuses"],
        "errors": outcome["errors"],
        "right": outcome["right"],
        "wrong": outcome["wrong"],
        "answered_a_second": outcome["right"] / args.seconds,
        "p50": _quantile(outcome["seconds"], 0.5),
        "p99": _quantile(outcome["seconds"], 0.99),
        "refused_p99": _quantile(outcome["refused_seconds"], 0.99),
        "memory_before": memory.seen[0],
        "memory_most": max(memory.seen),
        "memory_after": memory.now(),
        "survived": process.poll() is None,
    }


def _quantile(values: list[float], share: float) -> float | None:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else None


def measure(args, folder: str, model: Path, registered: str) -> dict:
    """Start both servers, and measure."""
    environment = worker_environment(args.backend) | {"ZOO_HOME": str(args.home)}
    environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{args.home}/mlflow.db"
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, __file__, args.model, "--write", folder, str(model)],
        env=environment,
        check=True,
    )
    ours, theirs = _free_port(), _free_port()
    zoo = [sys.executable, "-m", "flows.cli", "serve", registered, "--port", str(ours)]
    mlflow = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    mlflow += ["-m", registered, "--port", str(theirs)]
    at_zoo, at_mlflow = f"http://127.0.0.1:{ours}", f"http://127.0.0.1:{theirs}"
    with ExitStack() as stack:
        process = stack.enter_context(server(zoo, f"{at_zoo}/health/ready", environment))
        with server(mlflow, f"{at_mlflow}/ping", environment):
            urls = {
                "mlflow json": (f"{at_mlflow}/invocations", True),
                "zoo json": (f"{at_zoo}/invocations", True),
                "zoo jpeg": (f"{at_zoo}/predict", False),
            }
            closed = closed_loops(urls, folder, args)
        capacity = statistics.median(closed["zoo jpeg"]["rates"])
        opened = overload(f"{at_zoo}/predict", args.overload * capacity, folder, process, args)
    return {"closed": closed, "capacity": capacity, "open": opened}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def show(row: dict) -> None:
    """Print what was measured."""
    base = row["closed"]["mlflow json"]["rates"]
    for name, told in row["closed"].items():
        ratios = [a / b for a, b in zip(told["rates"], base, strict=True)]
        print(
            f"{name:<12} {statistics.median(told['rates']):8.1f} requests/s, p50 "
            f"{1000 * statistics.median(told['p50']):.0f} ms, {statistics.median(ratios):.2f} x "
            f"({min(ratios):.2f}-{max(ratios):.2f}), {told['wrong']} wrong"
        )
    for name, value in row["open"].items():
        print(f"{name:<18} {value:.3f}" if isinstance(value, float) else f"{name:<18} {value}")


def main() -> None:
    """Measure, print and append one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="NAME@champion of a detector")
    parser.add_argument("--home", type=lambda text: Path(text).absolute(), default="mlruns")
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the open loop")
    parser.add_argument("--turn-seconds", type=float, default=10.0, help="of a closed one")
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--overload", type=float, default=2.0, help="times the capacity")
    parser.add_argument("--note", default="", help="kept with the figures")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)  # in a fresh process
    args = parser.parse_args()
    if args.write:
        write_pictures(Path(args.write[0]), args.write[1])
        return
    with open_versions(args.model, args.home) as versions:
        version = versions.latest()
    with tempfile.TemporaryDirectory() as folder:
        row = measure(args, folder, version.file, version.label)
    show(row)
    about = {"model": args.model, "backend": args.backend, "concurrency": args.concurrency}
    about |= {"cores": os.cpu_count(), "note": args.note, "time": time.strftime("%F")}
    with RESULTS.open("a") as file:
        file.write(json.dumps(about | row) + "\n")


if __name__ == "__main__":
    main()
