"""Speed of Faster R-CNN on each backend, beside torchvision's with the same weights.

    make peers                          # once: torchvision, in .venv-peers
    python benchmarks/faster_rcnn.py [--rounds 5] [--cases predict] [--contenders "zoo on torch"]

ResNet-50 with a pyramid, 91 classes. Cases: `predict`, pixels to detections of one photograph of
800x800; and `train`, a whole step (forward, loss, backward, SGD with momentum) on two of 416x416
with the stem and the first stage frozen, as torchvision has it. Every contender and case is a
process of its own with the same allocator settings; the contenders take turns. Figures are the
medians over the rounds of wall and of CPU seconds, their ratios to torchvision's taken round by
round, and how far the resident memory rose above what it was with model and pictures in place.
First every contender must answer as torchvision does: the same detections; and, where the losses
count every anchor and region instead of a random sample, the same losses in a first step and, after
its update, in a second. Lines go to benchmarks/results/.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from faster_rcnn_steps import SIDES, torchvision_step, zoo_step

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "faster_rcnn.jsonl"
PEER_PYTHON = HERE.parent / ".venv-peers" / "bin" / "python"
PEER = "torchvision"
# Name -> who computes, and how.
CONTENDERS = {
    PEER: ("torchvision", "float32"),
    "torchvision, channels last": ("torchvision", "channels_last"),
    "torchvision, bfloat16": ("torchvision", "mixed_bfloat16"),
    "zoo on torch": ("torch", "float32"),
    "zoo on torch, bfloat16": ("torch", "mixed_bfloat16"),
    "zoo on tensorflow": ("tensorflow", "float32"),
    "zoo on jax": ("jax", "float32"),
}
# A rounding error decides which of a few of 2,000 proposals stay.
LARGEST_DIFFERENCE = 0.01


def pictures(case):
    """Return photographs (B, side, side, 3) uint8; two come with scikit-learn."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    side, count = SIDES[case], {"predict": 1, "train": 2}[case]
    found = [Image.fromarray(image) for image in load_sample_images().images[:count]]
    return np.stack([np.asarray(image.resize((side, side))) for image in found])


def serve(contender, case, file):
    """Be a contender: print memory; then compute and print times for each line given."""
    step = _step(contender, case, file, sampled=True)
    before = _resident("VmRSS")
    for _ in range(2):
        step()
    print(json.dumps({"megabytes": _resident("VmHWM") - before}), flush=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        step()
        row = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(row), flush=True)


def answer(contender, case, file):
    """Print detections, or the losses of two steps that count everything."""
    step = _step(contender, case, file, sampled=False)
    answers = [step()] if case == "predict" else [step(), step()]
    answers = [{name: np.asarray(value).tolist() for name, value in a.items()} for a in answers]
    print(json.dumps(answers), flush=True)


def _step(contender, case, file, *, sampled):
    kind, precision = CONTENDERS[contender]
    images = np.load(file)
    if kind == "torchvision":
        return torchvision_step(case, images, precision, sampled=sampled)
    return zoo_step(case, images, kind, precision, sampled=sampled)


def _resident(key):
    """Resident memory in megabytes, now (VmRSS) or at its highest (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1e3)


def start(door, contender, case, file):
    """Start this file as a contender's process."""
    from flows.runtime import worker_environment

    kind = CONTENDERS[contender][0]
    return subprocess.Popen(
        [
            str(PEER_PYTHON) if kind == "torchvision" else sys.executable,
            *(__file__, door, contender, case, str(file)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Idle threads of PyTorch would spin, which counts as CPU time and slows the neighbours.
        env=worker_environment("torch" if kind == "torchvision" else kind)
        | {"OMP_WAIT_POLICY": "PASSIVE"},
    )


def check(case, contenders, file):
    """Print how far answers are from torchvision's; end the benchmark if one is another model's."""
    wanted = None
    for name in contenders:
        found = json.loads(start("--answer", name, case, file).communicate()[0])
        wanted = wanted or found
        difference = _difference(case, found, wanted)
        print(f"{case:8} {name:27} answers differ by {difference:.1e}", flush=True)
        if "bfloat16" not in name and difference > LARGEST_DIFFERENCE:
            raise SystemExit(f"{name} answers otherwise than torchvision in {case}")


def _difference(case, found, wanted):
    """Return the largest relative difference of losses, or the share of detections without peer."""
    if case == "train":
        pairs = zip(found, wanted, strict=True)
        return max(abs(f[name] / w[name] - 1) for f, w in pairs for name in w)
    found, wanted = ({k: np.asarray(v) for k, v in some[0].items()} for some in (found, wanted))
    same = np.abs(found["boxes"][:, None] - wanted["boxes"]).max(-1) < 1  # pixels
    same &= np.abs(found["scores"][:, None] - wanted["scores"]) < 1e-3
    same &= found["labels"][:, None] == wanted["labels"]
    return 1 - min(same.any(1).mean(), same.any(0).mean())


def measure(case, contenders, file, rounds):
    """Return a row for each contender, torchvision first."""
    rows, processes = {}, {}
    for name in contenders:
        processes[name] = start("--serve", name, case, file)
        rows[name] = json.loads(processes[name].stdout.readline()) | {"rounds": []}
    for _ in range(rounds):
        for name, process in processes.items():
            process.stdin.write("\n")
            process.stdin.flush()
            rows[name]["rounds"].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    for row in rows.values():
        for key in ("wall", "cpu"):
            pairs = [
                (mine[key], peer[key])
                for mine, peer in zip(row["rounds"], rows[PEER]["rounds"], strict=True)
            ]
            row[key] = statistics.median(mine for mine, _ in pairs)
            row[f"{key}_ratio"] = statistics.median(mine / peer for mine, peer in pairs)
    return rows


def main():
    """Compare answers, measure, print the table and append one JSON line a contender and case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--answer", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve or args.answer:
        return serve(*args.serve) if args.serve else answer(*args.answer)
    if not PEER_PYTHON.exists():
        raise SystemExit("torchvision is not there: run `make peers` first.")
    contenders = [PEER, *(name for name in args.contenders if name != PEER and runs_here(name))]
    print(f"{'':36} {'wall s':>7} {'ratio':>6} {'CPU s':>7} {'ratio':>6} {'MB':>6}")
    with tempfile.TemporaryDirectory() as folder, RESULTS.open("a") as file:
        for case in args.cases:
            images = Path(folder) / f"{case}.npy"
            np.save(images, pictures(case))
            check(case, contenders, images)
            for name, row in measure(case, contenders, images, args.rounds).items():
                cells = f"{row['wall']:7.3f} {row['wall_ratio']:6.2f}"
                cells += f" {row['cpu']:7.3f} {row['cpu_ratio']:6.2f} {row['megabytes']:6}"
                print(f"{case:8} {name:27} {cells}", flush=True)
                about = {"case": case, "contender": name, "cores": os.cpu_count()}
                about |= {"load": round(os.getloadavg()[0], 1), "time": time.strftime("%F")}
                file.write(json.dumps(about | row) + "\n")


def runs_here(contender):
    """Whether the backend is installed and the precision is the processor's own."""
    from flows.runtime import bfloat16_support, installed_backends

    kind, precision = CONTENDERS[contender]
    if precision == "mixed_bfloat16" and not bfloat16_support()[0]:
        return False
    return kind == "torchvision" or kind in installed_backends()


if __name__ == "__main__":
    main()
