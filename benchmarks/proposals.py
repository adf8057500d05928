"""How many objects selective search proposes at all: the ceiling of R-CNN and Fast R-CNN.

    python benchmarks/proposals.py --data voc:FOLDER@val [--pictures 30] [--searches fast:300 ...]

An object that no proposal overlaps by half cannot be found at IoU .5, whatever is learnt. Prints,
for each search (mode and side of the picture it looks at) and number of proposals, the share of
each class' boxes that some proposal overlaps by .5 and by .7, and seconds a picture; a JSON line a
search goes to benchmarks/results/.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from flows.runtime import prepare_process

prepare_process("torch")

import keras  # noqa: E402

import zoo  # noqa: E402
from zoo.data import parse_spec  # noqa: E402
from zoo.layers import SelectiveSearch  # noqa: E402
from zoo.pictures import read_picture  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "proposals.jsonl"
SEARCHES = ("fast:300", "fast:600", "quality:300")
COUNTS = (300, 500, 1000, 2000, 4000)
OVERLAPS = (0.5, 0.7)
ALL = 20_000


def overlaps(search, pictures, truths):
    """Return {count: (N,) best IoU of each box with a draw of `count` proposals}, and seconds."""
    draw = np.random.default_rng(0)
    found = {count: [] for count in COUNTS}
    began = time.perf_counter()
    proposals = [search(picture) for picture in pictures]
    seconds = (time.perf_counter() - began) / len(pictures)
    for picture, boxes, regions in zip(pictures, truths, proposals, strict=True):
        height, width = picture.shape[:2]
        fractions = (boxes / [width, height, width, height]).astype("float32")
        drawn = draw.permutation(regions[regions[:, 2] > 0])
        ious = keras.ops.convert_to_numpy(zoo.ops.pairwise_iou(fractions, drawn))
        for count in COUNTS:
            found[count].append(ious[:, :count].max(axis=1))
    return {count: np.concatenate(ious) for count, ious in found.items()}, seconds


def main():
    """Search with every setting and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, metavar="SPEC", help="such as voc:FOLDER@val")
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), metavar="MODE:SIDE")
    options = parser.parse_args()
    source, split = parse_spec(options.data, on_defect="skip")
    rows = list(source.ground_truth(split or source.splits[0], options.pictures))
    pictures = [read_picture(encoded) for _, encoded, _ in rows]
    truths = [truth.boxes for _, _, truth in rows]
    labels = np.concatenate([truth.labels for _, _, truth in rows])
    names = source.class_names
    print(f"{'search':12} {'s':>5} {'count':>6} " + " ".join(f"{name:>12}" for name in names))
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as results:
        for text in options.searches:
            mode, _, side = text.partition(":")
            search = SelectiveSearch(ALL, mode=mode, side=int(side))
            best, seconds = overlaps(search, pictures, truths)
            recalls = {
                count: {
                    name: [float((ious[labels == label] >= over).mean()) for over in OVERLAPS]
                    for label, name in enumerate(names)
                }
                for count, ious in best.items()
            }
            about = {"search": text, "pictures": len(pictures), "seconds": seconds}
            results.write(json.dumps(about | {"recall": recalls}) + "\n")
            results.flush()
            for count, recall in recalls.items():
                told = " ".join(f"{a:7.3f}/{b:.2f}" for a, b in recall.values())
                print(f"{text:12} {seconds:5.2f} {count:6} {told}", flush=True)


if __name__ == "__main__":
    main()
