"""What can be exported: every preset in every format, small.

    python benchmarks/export_table.py [--presets tiny_ssd,fcn8s] [--formats onnx,torch]

Each preset is made at a small size with three classes, its last weights drawn anew, wide enough for
answers to differ from place to place; nothing is trained. A process a backend writes the programs
of its formats; each is opened by its own runtime in a fresh process, and the answers on four
pictures are compared as `zoo export` does. Lines go to benchmarks/results/export_table.jsonl, of
which the table of docs/export.md is printed: the last line of each preset and format counts.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flows.export_check import compare
from flows.export_formats import FORMATS
from flows.program_process import ask_program
from flows.runtime import prepare_process, worker_environment

RESULTS = Path(__file__).parent / "results" / "export_table.jsonl"
STAGES = {"backbone": "resnet18", "fpn": 32, "head_units": 64, "canonical_size": 64}
STAGES |= {"pre_nms": 200, "proposals": 100}
PRESETS = {
    "tiny_ssd": {"image_size": 128},
    "ssd300_vgg16": {},
    "yolo_v1": {"image_size": 128, "grid": 4},
    "rcnn": {"image_size": 128, "proposals": 50},
    "fast_rcnn": {"image_size": 128, "proposals": 50, "head_units": 64},
    "faster_rcnn": {"image_size": 128} | STAGES,
    "mask_rcnn": {"image_size": 128, "mask_channels": 32} | STAGES,
    "fcn_resnet18": {"image_size": 128},
    "fcn32s": {"image_size": 128},
    "fcn16s": {"image_size": 128},
    "fcn8s": {"image_size": 128},
    "classifier": {"image_size": 64},
    "fast_style": {"image_size": 128},
    "style_transfer": {},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--backend", help=argparse.SUPPRESS)
    args = parser.parse_args()
    presets, formats = args.presets.split(","), args.formats.split(",")
    if args.backend:
        return try_formats(presets, [f for f in formats if FORMATS[f].backend == args.backend])
    for backend in sorted({FORMATS[name].backend for name in formats}):
        command = [sys.executable, __file__, *sys.argv[1:], "--backend", backend]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=worker_environment(backend)
        )
        for line in child.stdout:
            if not line.startswith('{"preset"'):  # what a library prints
                continue
            print(line, end="", file=sys.stderr, flush=True)
            with RESULTS.open("a") as file:
                file.write(line)
        child.wait()
    print_table()


def print_table() -> None:
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    cells = {(row["preset"], row["format"]): row["told"] for row in rows}
    print(f"| preset | {' | '.join(FORMATS)} |\n|{'---|' * (len(FORMATS) + 1)}")
    for preset in PRESETS:
        told = [_shortened(cells.get((preset, name), "not tried")) for name in FORMATS]
        print(f"| `{preset}` | {' | '.join(told)} |")


def _shortened(told: str) -> str:
    for long, short in (
        (r"(\.0+)?%", " %"),
        (r" detections that .*", ""),
        (r" of the pixels have .*", " of pixels"),
        (r"probabilities differ by (\S+) at most", r"within \1"),
        (r"painted pixels differ by (.*) levels of 255 .*", r"within \1 levels"),
        (r"ValueError: .* cannot be exported.*", "refused"),
    ):
        told = re.sub(long, short, told)
    return told


def try_formats(presets, formats) -> None:
    """Write a line of JSON a preset and format, in this process' backend."""
    prepare_process()
    import numpy as np

    pictures = np.random.default_rng(0).integers(0, 256, (4, 200, 300, 3), np.uint8)
    for preset in presets:
        task = make(preset)
        for format in formats:
            start = time.monotonic()
            try:
                told = try_format(task, format, pictures)
            except Exception as error:
                told = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
            seconds = round(time.monotonic() - start, 1)
            row = {"preset": preset, "format": format, "told": told, "seconds": seconds}
            print(json.dumps(row), flush=True)


def make(preset: str):
    """Return a small model whose answers differ from place to place."""
    import keras
    import numpy as np

    import zoo

    keras.utils.set_random_seed(0)
    classes = {} if preset in ("fast_style", "style_transfer") else {"num_classes": 3}
    task = zoo.create(preset, **classes, **PRESETS[preset])
    rng = np.random.default_rng(0)
    for weight in task.trainable_weights:
        layer = weight.path.removeprefix(f"{task.name}/")  # a model may be called classifier
        if len(weight.shape) > 1 and ("head" in layer or "classifier" in layer):
            fan_in = np.prod(weight.shape[:-1])
            weight.assign(rng.normal(0, 1 / np.sqrt(fan_in), weight.shape))
    if task.kind == "classification":  # whose signal all but dies on the way through the layers
        pictures = rng.integers(0, 256, (4, 64, 64, 3), np.uint8)
        kernel = task.trainable_weights[-2]
        kernel.assign(kernel / task.predict(pictures, verbose=0)["logits"].std())
    return task


def try_format(task, format: str, pictures) -> str:
    """Write a program, ask it and the model, and tell how alike their answers are."""
    import numpy as np

    from zoo.export import fitting_of, named_outputs, signature_of, write_program

    signature = signature_of(task)
    fitting = fitting_of(task, signature)
    size = fitting.image_size
    if task.kind == "segmentation":
        pictures = [picture[: size[0], : size[1]] for picture in pictures]
    rows = [fitting.inputs(picture)[0] for picture in pictures]
    inputs = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    outputs = task.predict(inputs if len(inputs) > 1 else inputs["images"], batch_size=1, verbose=0)
    expected = named_outputs(signature, outputs)
    with tempfile.TemporaryDirectory() as folder:
        write_program(task, signature, format, folder, source={})
        found, _ = ask_program(Path(folder), inputs)
    agreed = compare(task.kind, expected, found, size)
    return agreed.told if agreed.same else f"differs: {agreed.told}"


if __name__ == "__main__":
    main()
