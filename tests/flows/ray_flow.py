"""A flow on a Ray of its own: prints, as JSON, what its tasks saw and which sockets listened."""

import json
import os
import sys
from pathlib import Path

import flows.train  # noqa: F401  first: it sets the process up
from flows.fan_out import Resources, open_engine, result_of

import psutil  # isort: skip
from prefect import flow, task  # isort: skip
from prefect.cache_policies import NO_CACHE  # isort: skip

from flows.embedded import prefect_server


@task(cache_policy=NO_CACHE)
def look(number: int) -> dict:
    """Tell where a task runs; the third finds a mistake."""
    if number == 2:
        raise ValueError("the third is unwell")
    return {"pid": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS"), "number": number}


def listening() -> list[str]:
    """Return the addresses that Ray's processes listen on."""
    family = psutil.Process().children(recursive=True)
    found = [one for process in family for one in process.net_connections("inet")]
    return sorted({one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN})


@flow
def fan_out() -> dict:
    """Send three tasks to a node of this machine's."""
    with open_engine(None, Resources(cpus=0.5), most=3) as engine:
        futures = [engine.submit(look, number=number) for number in range(3)]
        told = [result_of(future) for future in futures[:2]]
        try:
            result_of(futures[2])
        except ValueError as error:
            told.append(str(error))
        return {"slots": engine.slots, "told": told, "listening": listening()}


if __name__ == "__main__":
    with prefect_server(Path(sys.argv[1])):
        print(json.dumps(fan_out() | {"pid": os.getpid()}))
