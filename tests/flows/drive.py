"""`zoo train` with the stand-in worker: drive.py HOME again|once OVERRIDE..., prints a summary.

Where it has to wait for another process it says so on stderr.
"""

import dataclasses
import json
import sys
from pathlib import Path

from flows import supervisor
from flows.config import load_config
from flows.train import run


def tell_busy(event):
    if event["kind"] == "busy":
        print("waiting for its end", file=sys.stderr, flush=True)


HERE = Path(__file__).parent
supervisor.WORKER = (sys.executable, str(HERE / "stand_in_worker.py"))

if __name__ == "__main__":
    home, again, *overrides = sys.argv[1:]
    config = load_config(HERE.parents[1] / "configs" / "smoke.yaml", overrides)
    print(json.dumps(dataclasses.asdict(run(config, again == "again", home, tell_busy))))
