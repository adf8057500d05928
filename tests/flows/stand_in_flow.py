"""The flow `train` with the stand-in worker, for a process that a Prefect worker starts."""

import sys
from pathlib import Path

from flows import supervisor

supervisor.WORKER = (sys.executable, str(Path(__file__).with_name("stand_in_worker.py")))

from flows.train import train  # noqa: E402, F401
