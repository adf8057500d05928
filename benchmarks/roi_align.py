"""Cost of RoIAlign on each backend, beside torchvision's.

    make peers                          # once: torchvision, in .venv-peers
    python benchmarks/roi_align.py [--rounds 7] [--cases 7x7]

Cases: 7x7 and 14x14 bins, forward and backward, of 256 RoIs on each of two maps of 50x50x256; and
a forward pass of 1,000 RoIs, 7x7, on the four levels of an 800x800 picture. Two samples a bin and
axis. Every contender and case is a process of its own with the same allocator settings; the
contenders take turns. Figures are the processes' CPU time, the least of all rounds (on a busy
machine the others measure the neighbours), the wall time of that round, and how far the resident
memory rose above what it was with the inputs in place. The sums of crops and gradients are compared
with torchvision's, and a difference ends the benchmark. Lines go to benchmarks/results/.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "roi_align.jsonl"
PEER_PYTHON = HERE.parent / ".venv-peers" / "bin" / "python"
PEER = "torchvision"
CASES = ("7x7", "14x14", "pyramid")
STRIDE, CHANNELS, SIDE = 16, 256, 800


def inputs(case):
    """Return feature maps [(B, H, W, C)], RoIs (B, R, 4) in pixels, and the output's size."""
    rng = np.random.default_rng(0)
    batch, number = (1, 1000) if case == "pyramid" else (2, 256)
    strides = (4, 8, 16, 32) if case == "pyramid" else (STRIDE,)
    maps = [rng.random((batch, SIDE // s, SIDE // s, CHANNELS), dtype=np.float32) for s in strides]
    corners = rng.random((batch, number, 2)) * 0.75 * SIDE
    sizes = np.exp(rng.uniform(np.log(20), np.log(500), (batch, number, 2)))
    rois = np.concatenate([corners, np.minimum(corners + sizes, SIDE)], axis=-1)
    return maps, rois.astype(np.float32), 14 if case == "14x14" else 7


def torchvision_step(case):
    """Return a function that computes once, and returns the sums of crops and gradients."""
    import torch
    from torchvision.ops import MultiScaleRoIAlign, roi_align

    maps, rois, size = inputs(case)
    maps = [torch.tensor(level).permute(0, 3, 1, 2).contiguous() for level in maps]
    if case == "pyramid":
        levels = {str(k): level for k, level in enumerate(maps)}
        pooler = MultiScaleRoIAlign(list(levels), size, 2)

        def forward():
            with torch.no_grad():
                return pooler(levels, [torch.tensor(rois[0])], [(SIDE, SIDE)]), None

        return forward, lambda out: [float(out[0].sum(dtype=torch.float64))]
    features, rois = maps[0].requires_grad_(True), [torch.tensor(some) for some in rois]
    upstream = torch.full((sum(map(len, rois)), CHANNELS, size, size), 0.5)

    def step():
        features.grad = None
        crops = roi_align(features, rois, size, 1 / STRIDE, 2, True)
        crops.backward(upstream)
        return crops, features.grad

    return step, lambda out: [float(part.detach().sum(dtype=torch.float64)) for part in out]


def zoo_step(case, backend):
    """Return the same of zoo."""
    from flows.runtime import prepare_process

    prepare_process(backend)
    from keras import ops

    from zoo.ops import assign_levels, multilevel_roi_align, roi_align

    maps, rois, size = inputs(case)
    maps, rois = [ops.convert_to_tensor(level) for level in maps], ops.convert_to_tensor(rois)

    def pyramid(rois, *maps):
        levels = assign_levels(rois, min_level=2, max_level=5)
        scales = [1 / 2**k for k in range(2, 6)]
        return multilevel_roi_align(
            maps, rois, size, spatial_scales=scales, levels=levels, aligned=False
        )

    def single(features):
        return roi_align(features, rois, size, 1 / STRIDE)

    if case == "pyramid":
        step = _compiled(backend, lambda *tensors: (pyramid(*tensors), None), (rois, *maps))
    else:
        upstream = ops.full((*rois.shape[:2], size, size, CHANNELS), 0.5)
        step = _with_gradient(backend, single, maps[0], upstream)

    def sums(out):
        arrays = [ops.convert_to_numpy(part) for part in out if part is not None]
        return [float(array.sum(dtype=np.float64)) for array in arrays]

    return step, sums


def _compiled(backend, function, tensors):
    if backend == "torch":
        import torch

        def forward():
            with torch.no_grad():
                return function(*tensors)

        return forward
    return _finished(backend, function, tensors)


def _finished(backend, function, tensors):
    """Compile the function; return a call of it that waits for its end."""
    if backend == "jax":
        import jax

        quick = jax.jit(function)
        return lambda: jax.block_until_ready(quick(*tensors))
    import tensorflow as tf

    quick = tf.function(function)
    return lambda: quick(*tensors)  # on a CPU it returns when all is done


def _with_gradient(backend, function, features, upstream):
    if backend == "torch":
        features.requires_grad_(True)

        def step():
            features.grad = None
            crops = function(features)
            crops.backward(upstream)
            return crops.detach(), features.grad

        return step

    def both(features, upstream):
        if backend == "jax":
            import jax

            crops, pull = jax.vjp(function, features)
            return crops, pull(upstream)[0]
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(features)
            crops = function(features)
        return crops, tape.gradient(crops, features, upstream)

    return _finished(backend, both, (features, upstream))


def serve(contender, case):
    """Be a contender: print sums and memory; then compute and print times for each line given."""
    step, sums = torchvision_step(case) if contender == PEER else zoo_step(case, contender)
    before = _resident("VmRSS")
    for _ in range(2):
        out = step()
    print(json.dumps({"megabytes": _resident("VmHWM") - before, "sums": sums(out)}), flush=True)
    del out
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        step()
        row = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(row), flush=True)


def _resident(key):
    """Resident memory in megabytes, now (VmRSS) or at its highest (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1e3)


def measure(case, rounds):
    """Return a row for each contender, torchvision first."""
    from flows.runtime import installed_backends, worker_environment

    rows, processes = {}, {}
    for name in (PEER, *installed_backends()):
        python = PEER_PYTHON if name == PEER else sys.executable
        environment = worker_environment("torch" if name == PEER else name)
        processes[name] = subprocess.Popen(
            [str(python), __file__, "--serve", name, case],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        rows[name] = json.loads(processes[name].stdout.readline()) | {"rounds": []}
        if not np.allclose(rows[name]["sums"], rows[PEER]["sums"], rtol=1e-4):
            raise SystemExit(f"{name}: crops or gradients of {case} differ from torchvision's")
    for _ in range(rounds):
        for name, process in processes.items():
            process.stdin.write("\n")
            process.stdin.flush()
            rows[name]["rounds"].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return rows


def main():
    """Measure, print the table and append one JSON line a contender and case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(*args.serve)
    if not PEER_PYTHON.exists():
        raise SystemExit("torchvision is not there: run `make peers` first.")
    print(f"{'':24} {'CPU s':>7} {'ratio':>6} {'wall s':>7} {'MB':>6}")
    with RESULTS.open("a") as file:
        for case in args.cases:
            rows = measure(case, args.rounds)
            for name, row in rows.items():
                best = min(row["rounds"], key=lambda r: r["cpu"])
                row |= best
                row["ratio"] = best["cpu"] / rows[PEER]["cpu"]  # torchvision's is the first row
                cells = f"{best['cpu']:7.3f} {row['ratio']:6.2f} {best['wall']:7.3f}"
                print(f"{case:8} {name:15} {cells} {row['megabytes']:6}", flush=True)
                about = {"case": case, "contender": name, "cores": os.cpu_count()}
                about |= {"load": round(os.getloadavg()[0], 1), "time": time.strftime("%F")}
                file.write(json.dumps(about | row) + "\n")


if __name__ == "__main__":
    main()
