"""One shard on a node: a fresh process answers it; what kills the process is set aside."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows import provenance
from flows.fan_out import share_processors
from flows.progress import read_line
from flows.runtime import UserError, choose_backend, worker_environment
from flows.supervisor import describe_end
from flows.worker_process import WorkerError

WORKER: Sequence[str] = (sys.executable, "-P", "-m", "flows.worker")
STRIKES = 2  # deaths at one picture alone, after which it is set aside
MAX_DEATHS = 3  # of a process that was at no picture


@task(name="predict shard", task_run_name="shard {name}", cache_policy=NO_CACHE)
def predict_shard(
    name: str, model: str, todo: str, out: str, min_score: float, backend: str, folder: str
) -> None:
    """Answer a shard on the node where this runs, unless that is done already.

    Args:
        name: the shard's.
        model: a published `.keras` file.
        todo: the file with its pictures.
        out: its file of results.
        min_score: of a detector's objects.
        backend: tensorflow, jax, torch or auto.
        folder: that relative paths begin at.

    Raises:
        UserError: the files are not to be seen here, or the model cannot be used.
        WorkerError: the process died over and over, at no picture.
    """
    if Path(out).exists():
        return
    for path in (model, todo):
        if not Path(path).exists():
            raise UserError(
                f"{path}: not to be seen on node {provenance.machine()['host']}; "
                "all nodes must share the model and the folder for the results"
            )
    share_processors()
    chosen, _ = choose_backend(backend)
    answer_shard([model, todo, "--out", out, "--min-score", str(min_score)], chosen, folder)


def answer_shard(arguments: Sequence[str], backend: str, folder: str | None = None) -> None:
    """Run the verb `shard` until it is done; what kills it is found and left out.

    A process dies at the pictures that it was at. Those are asked one by one then, and one that the
    process dies at alone, `STRIKES` times, is set aside with that as the reason.

    Args:
        arguments: of the verb.
        backend: of the process.
        folder: that it runs in.
    """
    alone: set[str] = set()
    rejected: dict[str, str] = {}
    strikes: Counter[str] = Counter()
    deaths = 0
    while True:
        options = ["--alone", json.dumps(sorted(alone)), "--rejected", json.dumps(rejected)]
        code, at, mistakes, log = _attempt([*arguments, *options], backend, folder)
        if code == 0:
            return
        if code == 2 and mistakes:
            raise UserError("\n".join(mistakes))
        if not at:
            deaths += 1
            if deaths >= MAX_DEATHS:
                last = log.splitlines()[-1] if log else "it wrote nothing"
                raise WorkerError(f"the {backend} worker {describe_end(code)}: {last}", log)
        alone.update(at)
        if len(at) == 1:
            strikes[at[0]] += 1
            if strikes[at[0]] >= STRIKES:
                rejected[at[0]] = f"the process {describe_end(code)} at it, {STRIKES} times"


def _attempt(
    arguments: Sequence[str], backend: str, folder: str | None
) -> tuple[int, list[str], list[str], str]:
    """Return the exit code, the pictures it was at, its complaints and what it wrote to stderr."""
    at: list[str] = []
    mistakes: list[str] = []
    with (
        tempfile.TemporaryFile("w+", errors="replace") as log,
        subprocess.Popen(
            [*WORKER, "shard", *arguments],
            env=worker_environment(backend),
            cwd=folder,
            stdin=subprocess.PIPE,  # its end tells the process that we are gone
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                fields = read_line(line)
                at = fields.get("at", at)
                if "mistake" in fields:
                    mistakes.append(fields["mistake"])
        except BaseException:
            process.kill()
            raise
        process.wait()
        log.seek(0)
        return process.returncode, at, mistakes, log.read().strip()
