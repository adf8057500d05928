"""Memory that a data set of files takes, at 5,000 and at 50,000 pictures.

    python benchmarks/stream.py [--pictures 5000 50000] [--layouts voc coco yolo csv]

A data set is written in each layout, indexed and run once through a training pipeline, in a fresh
process for each size. The peak is what the system counts as resident, and what the process held
before the reading began is beside it. Pictures are 64x64 PNG of noise, 12 kB each, so that 50,000
of them are 600 MB. Lines go to benchmarks/results/stream.jsonl.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flows.runtime import prepare_process, worker_environment

RESULTS = Path(__file__).parent / "results" / "stream.jsonl"
LAYOUTS = ("voc", "coco", "yolo", "csv")
SIDE, BATCH, MAX_BOXES = 64, 32, 8
NOISE_FILES = 50  # different pictures; each is linked under many names


def write_set(kind: str, folder: Path, pictures: int) -> Path:
    """Write a data set of links to a few pictures of noise; returns what its reader opens."""
    writers = {"voc": _write_voc, "coco": _write_coco, "yolo": _write_yolo, "csv": _write_csv}
    inside = {
        "voc": "JPEGImages",
        "coco": "train",
        "yolo": "images/train",
        "csv": "set_train/images",
    }
    place = folder / inside[kind]
    place.mkdir(parents=True)
    _link_noise(folder, place, pictures)
    return writers[kind](folder, pictures)


def _link_noise(folder: Path, place: Path, pictures: int) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    originals = folder.parent / f"{folder.name}-noise"
    originals.mkdir()
    for number in range(NOISE_FILES):
        noise = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(noise).save(originals / f"{number}.png")
    for number in range(pictures):
        os.link(originals / f"{number % NOISE_FILES}.png", place / f"{number:07d}.png")


def _boxes(number: int) -> list[tuple[int, int, int, int]]:
    """One to four boxes of a picture, left, top, right, bottom."""
    return [(4 * k, 8, 4 * k + 16 + number % 7, 40) for k in range(1 + number % 4)]


def _write_voc(folder: Path, pictures: int) -> Path:
    (folder / "Annotations").mkdir()
    (folder / "ImageSets/Main").mkdir(parents=True)
    with (folder / "ImageSets/Main/train.txt").open("w") as names:
        for number in range(pictures):
            names.write(f"{number:07d}\n")
            boxes = "".join(
                f"<object><name>cat</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
                f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>\n"
                for left, top, right, bottom in _boxes(number)
            )
            xml = f"<annotation>\n{boxes}</annotation>\n"
            (folder / f"Annotations/{number:07d}.xml").write_text(xml)
    return folder


def _write_coco(folder: Path, pictures: int) -> Path:
    def image(number):
        return {"id": number, "file_name": f"{number:07d}.png", "height": SIDE, "width": SIDE}

    def annotations():
        keys = itertools.count(1)
        for number in range(pictures):
            for left, top, right, bottom in _boxes(number):
                box = [left, top, right - left, bottom - top]
                yield {"id": next(keys), "image_id": number, "category_id": 1, "bbox": box}

    (folder / "annotations").mkdir()
    with (folder / "annotations/instances_train.json").open("w") as file:
        parts = {"images": map(image, range(pictures)), "annotations": annotations()}
        for name, rows in parts.items():
            file.write("{" if name == "images" else ",\n")
            file.write(f'"{name}": [\n')
            file.writelines(_separated(map(json.dumps, rows)))
            file.write("]")
        file.write(',\n"categories": [{"id": 1, "name": "cat"}]}\n')
    return folder


def _separated(texts):
    for number, text in enumerate(texts):
        yield f"{',' if number else ''}{text}\n"


def _write_yolo(folder: Path, pictures: int) -> Path:
    (folder / "labels/train").mkdir(parents=True)
    for number in range(pictures):
        rows = []
        for left, top, right, bottom in _boxes(number):
            centre, size = (left + right, top + bottom), (right - left, bottom - top)
            values = (*(value / 2 / SIDE for value in centre), *(value / SIDE for value in size))
            rows.append(f"0 {' '.join(map(str, values))}\n")
        (folder / f"labels/train/{number:07d}.txt").write_text("".join(rows))
    (folder / "data.yaml").write_text("train: images/train\nnames: [cat]\n")
    return folder


def _write_csv(folder: Path, pictures: int) -> Path:
    """With the rows of a picture as far apart as can be."""
    with (folder / "set_train/label.csv").open("w") as file:
        file.write("img_name,label,xmin,ymin,xmax,ymax\n")
        for k in range(4):
            for number in range(pictures):
                if k < len(_boxes(number)):
                    row = ",".join(map(str, _boxes(number)[k]))
                    file.write(f"{number:07d}.png,cat,{row}\n")
    return folder


def measure_memory(kind: str, pictures: int, folder: Path) -> dict:
    """Index a data set, run it through a training pipeline once; for a process of its own."""
    prepare_process("tensorflow")
    from zoo.data import build_pipeline, load_source
    from zoo.layers import ImageConverter

    folder.mkdir(parents=True, exist_ok=True)
    path = write_set(kind, folder / "set", pictures)
    before, start = _peak(), time.perf_counter()
    source = load_source(kind, path=path, data_dir=str(folder / "cache"))
    size = source.size("train")
    indexed = time.perf_counter() - start
    batches = build_pipeline(
        source,
        "train",
        ImageConverter((SIDE, SIDE)),
        batch_size=BATCH,
        max_boxes=MAX_BOXES,
        training=True,
    )
    fed = sum(len(images) for images, _ in batches)
    assert fed == size // BATCH * BATCH
    return {
        "layout": kind,
        "pictures": size,
        "before": before,
        "peak": _peak(),
        "index_seconds": indexed,
        "pipeline_seconds": time.perf_counter() - start - indexed,
    }


def _peak() -> int:
    """The most bytes of this process that were ever resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    """Measure, print the table and append one JSON line a process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)  # in the fresh process
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        kind, pictures = args.memory
        print(json.dumps(measure_memory(kind, int(pictures), args.folder)))
        return
    head = ("layout", "pictures", "before, MB", "peak, MB", "index, s", "pipeline, s")
    print("".join(f"{name:>13}" for name in head))
    for kind, pictures in itertools.product(args.layouts, args.pictures):
        row = _in_fresh_process(kind, pictures)
        values = [
            row["before"] / 1e6,
            row["peak"] / 1e6,
            row["index_seconds"],
            row["pipeline_seconds"],
        ]
        print(f"{kind:>13}{pictures:13,}" + "".join(f"{value:13.1f}" for value in values))
        with RESULTS.open("a") as file:
            file.write(
                json.dumps(row | {"cores": os.cpu_count(), "time": time.strftime("%F")}) + "\n"
            )


def _in_fresh_process(kind: str, pictures: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--memory", kind, str(pictures), "--folder", folder]
        environment = worker_environment("tensorflow")
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
