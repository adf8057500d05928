"""A process of one backend that opens published files as a user of that backend would.

Reads {"model", "pictures"} from stdin, a line each, and answers with a line of what it found. It
opens file after file: starting a process takes longer than most files do.
"""

import json
import sys
import traceback

from flows.runtime import prepare_process

BACKEND = prepare_process()

import keras  # noqa: E402
import numpy as np  # noqa: E402

import zoo  # noqa: E402, F401  it registers what the files hold


def answer(model, pictures):
    """Return what a model makes of pictures, as plain lists."""
    task = keras.saving.load_model(model)
    with np.load(pictures) as arrays:
        shown = [arrays[name] for name in arrays.files]
    if hasattr(task, "stylize"):
        return [painted.tolist() for painted in task.stylize(shown)]
    found = task.detect(shown)
    return [
        {
            "boxes": one.boxes.tolist(),
            "scores": one.scores.tolist(),
            "labels": one.labels.tolist(),
            "pixels": [] if one.masks is None else one.masks.sum((1, 2)).tolist(),
        }
        for one in found
    ]


if __name__ == "__main__":
    for line in sys.stdin:
        try:
            told = {"found": answer(**json.loads(line))}
        except Exception:
            told = {"error": traceback.format_exc()}
        print(json.dumps({"backend": BACKEND} | told), flush=True)
