"""Does the gate decide well? Challengers whose worth is known, against a champion, over seeds.

    python benchmarks/gate.py [--seeds 20] [--backend torch] [--epochs 6]

A champion is a small TinySSD on embedded bananas, trained anew for every seed. Against it come
`worse`, whose boxes were dealt to other pictures; `itself`, the champion's own answers again;
`equal`, the champion with every weight moved at random by a thousandth of itself; `seed`, the same
training from another seed, which short trainings leave better or worse by chance; and `better`,
trained three times as long. All are scored on the same 100 pictures of the validation split, and
the gate asks for .95 confidence. Prints a table and appends a JSON line a challenger to
benchmarks/results/gate.jsonl.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from flows.runtime import prepare_process

RESULTS = Path(__file__).parent / "results" / "gate.jsonl"
CONFIG = Path(__file__).parents[1] / "configs" / "tiny_ssd_reduced.yaml"
ARMS = ("worse", "itself", "equal", "seed", "better")
MOVED = 1e-3  # of each weight of an equal challenger
SIDE, PICTURES = 96, 160


def load(arm, seed, epochs):
    """Return the config of an arm's training."""
    from flows.config import load_config, resolve_config

    changes = {
        "data.image_size": SIDE,
        "data.limit": PICTURES,
        "train.epochs": epochs * (3 if arm == "better" else 1),
        "train.seed": seed if arm == "champion" else 1000 + seed,
    }
    return resolve_config(load_config(CONFIG, [f"{key}={value}" for key, value in changes.items()]))


def dealt_wrong(source, limit):
    """Return the source with the training pictures' boxes moved on by a third of the pictures."""
    import tensorflow as tf

    from zoo.data.source import RECORD_SPEC

    entries = list(source.entries("train", limit).as_numpy_iterator())
    moved = entries[len(entries) // 3 :] + entries[: len(entries) // 3]
    names = ("boxes", "labels", "crowd", "area", "masks")
    wrong = [
        entry | {name: other[name] for name in names}
        for entry, other in zip(entries, moved, strict=True)
    ]

    def read(split):
        if split != "train":
            return source.read(split)
        return tf.data.Dataset.from_generator(lambda: iter(wrong), output_signature=RECORD_SPEC)

    return replace(source, read=read)


def train(arm, seed, epochs):
    """Train an arm; return the task."""
    import keras

    from flows import build

    config = load(arm, seed, epochs)
    source = build.build_source(config)
    if arm == "worse":
        source = dealt_wrong(source, config.data.limit)
    keras.utils.set_random_seed(config.train.seed)
    task = build.build_task(config, source)
    task.compile(optimizer=build.build_run_optimizer(config, source, task))
    steps = build.epoch_steps(config, source)
    stream = build.build_stream(config, source, task)(0)
    task.fit(stream, epochs=config.train.epochs, steps_per_epoch=steps, verbose=0)
    return task


def moved(task, seed):
    """Return the task with every weight moved a little, in a way that has no aim."""
    rng = np.random.default_rng(seed)
    weights = task.get_weights()
    task.set_weights([w * (1 + MOVED * rng.standard_normal(w.shape)) for w in weights])
    return task


def answer(task, pictures):
    """Return the score sheet of a task's answers on the validation split."""
    from zoo.answers import answers_of

    answers = answers_of(task)
    sheet = answers.scores(task.class_names)
    for start in range(0, len(pictures), 32):
        part = pictures[start : start + 32]
        found = answers.ask(task, [picture for picture, _ in part])
        for (_, truth), one in zip(part, found, strict=True):
            sheet.add(truth, one)
    return sheet


def judge(sheet, champion, seed, arm):
    """Let the gate decide; return a row."""
    from flows.config_sections import Gate
    from flows.promote import decide

    gate = Gate(metric="ap50", confidence=0.95)
    began = time.perf_counter()
    confidence = sheet.confidence(champion, gate.metric)
    seconds = time.perf_counter() - began
    found, before = sheet.metrics(), champion.metrics()
    decision = decide(found, before, gate, confidence)
    return {
        "seed": seed,
        "arm": arm,
        "ap50": found["ap50"],
        "champion": before["ap50"],
        "confidence": confidence,
        "promoted": decision.promote,
        "bootstrap_seconds": seconds,
    }


def show(rows):
    """Print what became of each arm."""
    print("| challenger | AP50, mean | champion's | confidence: least, median, most | promoted |")
    print("|---|---|---|---|---|")
    for arm in ARMS:
        of_arm = [row for row in rows if row["arm"] == arm]
        sure = sorted(row["confidence"] for row in of_arm)
        mean, before = (statistics.mean(row[key] for row in of_arm) for key in ("ap50", "champion"))
        promoted = sum(row["promoted"] for row in of_arm)
        print(
            f"| {arm} | {mean:.3f} | {before:.3f} | {sure[0]:.3f}, {statistics.median(sure):.3f}, "
            f"{sure[-1]:.3f} | {promoted} of {len(of_arm)} |"
        )
    spent = [row["bootstrap_seconds"] for row in rows]
    median, most = statistics.median(spent), max(spent)
    print(f"\n1,000 draws of 100 pictures: {median:.1f} s, at most {most:.1f} s")


def main():
    """Train and judge every arm with every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    prepare_process(args.backend)
    from flows import build
    from zoo.pictures import read_picture

    source = build.build_source(load("champion", 0, args.epochs))
    pictures = [(read_picture(encoded), truth) for _, encoded, truth in source.ground_truth("val")]
    rows = []
    for seed in range(args.seeds):
        task = train("champion", seed, args.epochs)
        champion = answer(task, pictures)
        sheets = {"itself": champion, "equal": answer(moved(task, seed), pictures)}
        for arm in ARMS:
            sheet = sheets.get(arm) or answer(train(arm, seed, args.epochs), pictures)
            rows.append({"backend": args.backend} | judge(sheet, champion, seed, arm))
            with RESULTS.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(f"# {rows[-1]}", flush=True)
    show(rows)


if __name__ == "__main__":
    main()
