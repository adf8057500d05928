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
    """Return what a model finds in pictures as plain lists."""
    task = keras.saving.load_model(model)
    with np.load(pictures) as arrays:
        pictures = [arrays[name] for name in arrays.files]
    if task.kind == "classification":
        return [{"probabilities": one.probabilities.tolist()} for one in task.classify(pictures)]
    if task.kind == "style":
        return [painted.tolist() for painted in task.stylize(pictures)]
    if task.kind == "segmentation":
        maps = task.segment(pictures)
        return [{"classes": m.classes.tolist(), "scores": m.scores.tolist()} for m in maps]
    return [
        {
            "boxes": one.boxes.tolist(),
            "scores": one.scores.tolist(),
            "labels": one.labels.tolist(),
            "pixels": [] if one.masks is None else one.masks.sum((1, 2)).tolist(),
        }
        for one in task.detect(pictures, batch_size=len(pictures))
    ]


if __name__ == "__main__":
    for line in sys.stdin:
        try:
            told = {"found": answer(**json.loads(line))}
        except Exception:
            told = {"error": traceback.format_exc()}
        print(json.dumps({"backend": BACKEND} | told), flush=True)
