"""Worker verb `time`: how long a Keras model takes for single pictures, and what memory.

The counterpart of `zoo/export/runtimes.py`, which times exported programs: the same inputs, batch
1, by `predict_on_batch`.
"""

import argparse
import os
from pathlib import Path

from flows.progress import mistakes_told, tell
from flows.runtime import prepare_process
from flows.whole_files import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", help="a published .keras file")
    parser.add_argument("--inputs", required=True, type=Path, help="what the network takes, .npz")
    parser.add_argument("--threads", type=int, help="1: one processor core")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--out", required=True, type=Path, help="where the times go, JSON")


def run(args: argparse.Namespace) -> int:
    """Time the model and write the file; return the exit code.

    Raises:
        UserError: the model cannot be opened.
    """
    with mistakes_told():
        if args.threads == 1 and hasattr(os, "sched_setaffinity"):
            # Before a backend counts the cores.
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        prepare_process()
        import numpy as np

        from flows.opening import open_task
        from zoo.export.runtimes import peak_bytes, time_answers

        task = open_task(args.model)
        tell(what="timing", done=0, total=None)
        with np.load(args.inputs) as arrays:
            inputs = {name: arrays[name] for name in arrays.files}
        rows = [
            {name: array[row : row + 1] for name, array in inputs.items()}
            for row in range(len(inputs["images"]))
        ]
        asked = rows if len(inputs) > 1 else [row["images"] for row in rows]
        times = time_answers(task.predict_on_batch, asked, args.seconds)
        write_json(args.out, {"milliseconds": times, "peak_bytes": peak_bytes()})
    tell(wrote=str(args.out))
    return 0
