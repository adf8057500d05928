"""A worker without Keras: it speaks the journal, checkpoints and resumes as the real one does.

STAND_IN, a JSON object in the environment, steers it: `steps`, `delay` (seconds a step), `ap50` (of
the model), `ap50_elsewhere` (of the same model when it is scored), `moved` (how far its box lies
from that of another backend), `mistake` (exit 2 with this line), `crash_at` (dies at that step,
each time), `splits` (of the data; on `test` it scores half), `digest` (of the training pictures),
`classes` (of them: name -> boxes), `defects` (of them, in words), `parameters` (that it tells).
"""

import argparse
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from filelock import FileLock

from flows.journal import Journal

PARAMETERS = {"train": {"epochs": 1}, "data": {"batch_size": 1}}
OPTIONS = {"steps": 10, "delay": 0.01, "ap50": 0.75} | json.loads(os.environ.get("STAND_IN", "{}"))


def train(args):
    run_dir = Path(args.run_dir)
    if "mistake" in OPTIONS:
        print(OPTIONS["mistake"], file=sys.stderr)
        return 2
    checkpoint = run_dir / "checkpoint"
    with FileLock(run_dir / "worker.lock", timeout=0), Journal(run_dir / "journal.jsonl") as log:
        first = int(checkpoint.read_text()) if checkpoint.exists() else 0
        log.append("started", **facts())
        if first:
            log.append("resumed", step=first)
        for step in range(first + 1, OPTIONS["steps"] + 1):
            time.sleep(OPTIONS["delay"])
            if step == OPTIONS.get("crash_at"):
                os.kill(os.getpid(), signal.SIGKILL)
            log.append(
                "step",
                step=step,
                epoch=1,
                metrics={"train/step_loss": 1 / step, "train/pictures_per_second": time.time()},
            )
            if step % 5 == 0:
                checkpoint.write_text(str(step))
                log.append("checkpoint", step=step)
        metrics = {"val/ap50": OPTIONS["ap50"], "val/loss": 0.5}
        log.append("sample", step=OPTIONS["steps"], path=draw(run_dir))
        log.append("evaluation", step=OPTIONS["steps"], epoch=1, metrics=metrics)
        model = run_dir / "model.keras"
        model.write_text(json.dumps(OPTIONS))
        sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
        log.append("published", path=model.name, sha256=sha256)
        timings = {"worker_seconds": 1.0, "step_seconds": 0.75, "data_seconds": 0.25}
        log.append("finished", step=OPTIONS["steps"], metrics={}, timings=timings)
    return 0


def draw(run_dir):
    """Leave a picture, as the real worker does of what it found."""
    from PIL import Image

    path = run_dir / "samples" / f"{OPTIONS['steps']:06d}-one.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (64, 48), "yellow").save(path)
    return str(path.relative_to(run_dir))


def facts():
    return {
        "backend": os.environ["KERAS_BACKEND"],
        "precision": "float32",
        "versions": {"python": sys.version.split()[0]},
        "task": "detection",
        "parameters": OPTIONS.get("parameters", PARAMETERS),
        "data_digest": digest(),
        "counts": counts(),
        "splits": OPTIONS.get("splits", ["train", "val"]),
        "train_size": OPTIONS["steps"],
        "val_size": 4,
        "num_params": 1,
        "pid": os.getpid(),
    }


def digest():
    return {"train": OPTIONS.get("digest", "aa"), "val": "bb"}


def counts():
    classes = OPTIONS.get("classes", {"banana": 10})
    return {split: {"pictures": 10, "classes": classes} for split in ("train", "val")}


def survey(args):
    told = {"data_digest": digest()}
    if told["data_digest"] != args.unless:
        defects = OPTIONS.get("defects", [])
        kinds = {"degenerate_box": len(defects)} if defects else {}
        found = {"train": {"kinds": kinds, "listed": defects}, "val": {"kinds": {}, "listed": []}}
        told |= {"counts": counts(), "defects": found}
    args.out.write_text(json.dumps(told))
    return 0


def score(args):
    model = json.loads(Path(args.model).read_text())
    ap50 = model.get("ap50_elsewhere", model["ap50"])
    if args.data.endswith("@test"):
        ap50 /= 2
    confidence = against = None
    if args.against:
        rival = json.loads(Path(args.against).read_text())["ap50"]
        confidence = 1.0 if ap50 > rival else 0.5 if ap50 == rival else 0.0
        against = {"model": str(args.against), "metrics": {"ap50": rival}}
    print(json.dumps({"what": "scoring", "done": 4, "total": 4}))
    scores = {
        "backend": os.environ["KERAS_BACKEND"],
        "metrics": {"ap50": ap50, "ap_per_class": {"banana": ap50}},
        "trivial": {"ap50": 0.0},
        "against": against,
        "confidence": confidence,
    }
    args.out.write_text(json.dumps(scores))
    if args.predictions:
        # The backend that trained is asked second, and its boxes may lie elsewhere.
        moved = 0 if args.predictions.stem == "predictions" else model.get("moved", 50)
        row = {"image_id": 1, "category_id": 0, "bbox": [moved, 0, 10, 10], "score": 0.9}
        args.predictions.write_text(json.dumps([row]))
    return 0


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("train")
    verb.add_argument("run_dir")
    verb.set_defaults(run=train)
    verb = verbs.add_parser("score")
    verb.add_argument("model")
    verb.add_argument("--data")
    verb.add_argument("--on-defect")
    verb.add_argument("--limit", type=int)
    verb.add_argument("--against")
    verb.add_argument("--metric")
    verb.add_argument("--out", type=Path)
    verb.add_argument("--predictions", type=Path)
    verb.add_argument("--report", type=Path)
    verb.set_defaults(run=score)
    verb = verbs.add_parser("survey")
    verb.add_argument("config")
    verb.add_argument("--unless", type=json.loads)
    verb.add_argument("--out", type=Path)
    verb.set_defaults(run=survey)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
