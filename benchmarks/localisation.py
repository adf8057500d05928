"""What a detector misses: objects it does not find, or ones that it does not place.

    python benchmarks/localisation.py MODEL.keras ... --data voc:FOLDER@val

Prints, for each model, the AP of each class as pycocotools counts it when a detection needs to
overlap an object by .1, .3, ..., .75 only. What is missing at .1 was not found, or was given
another class or a low score; what is lost from there to .5 was found and badly placed. A JSON line
a model goes to benchmarks/results/localisation.jsonl.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from flows.runtime import prepare_process

prepare_process()

import zoo  # noqa: E402
from zoo.data import parse_spec  # noqa: E402
from zoo.metrics.coco import match_pictures, quiet  # noqa: E402
from zoo.pictures import read_picture  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "localisation.jsonl"
OVERLAPS = (0.1, 0.3, 0.4, 0.5, 0.6, 0.75)


def ap_by_overlap(truths, answers, num_classes) -> np.ndarray:
    """Return (overlaps, classes) AP, NaN for a class without objects."""
    evaluator = match_pictures(truths, answers, num_classes=num_classes, overlaps=OVERLAPS)
    with quiet():
        evaluator.accumulate()
    precision = evaluator.eval["precision"][:, :, :, 0, -1]  # (IoU, recall, class)
    return np.where(precision < 0, np.nan, precision).mean(axis=1)


def main():
    """Score every model and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a detector's .keras file")
    parser.add_argument("--data", required=True, metavar="SPEC", help="such as voc:FOLDER@val")
    options = parser.parse_args()
    source, split = parse_spec(options.data, on_defect="skip")
    split = split or source.splits[0]
    rows = list(source.ground_truth(split))
    truths = [truth for _, _, truth in rows]
    names = source.class_names
    RESULTS.parent.mkdir(exist_ok=True)
    for path in options.models:
        model = zoo.load(path)
        answers = model.detect([read_picture(encoded) for _, encoded, _ in rows])
        table = ap_by_overlap(truths, answers, len(names))
        print(f"{path}\n{'IoU':>5} " + " ".join(f"{name:>10}" for name in (*names, "mean")))
        for overlap, values in zip(OVERLAPS, table, strict=True):
            shown = " ".join(f"{value:10.3f}" for value in (*values, np.nanmean(values)))
            print(f"{overlap:5} {shown}", flush=True)
        kind = options.data.partition(":")[0]  # without the folder, which is this machine's
        about = {"run": Path(path).resolve().parent.name, "data": f"{kind}@{split}"}
        about |= {"classes": names, "overlaps": OVERLAPS}
        with RESULTS.open("a") as results:
            results.write(json.dumps(about | {"ap": table.tolist()}) + "\n")


if __name__ == "__main__":
    main()
