"""Worker verb `show`: samples as training sees them, drawn on one sheet -> PNG.

Words: a row of the sheet is a picture as it is stored, and after it versions of it, an epoch of the
training pipeline each.
"""

import argparse
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.progress import Counting, mistakes_told, tell
from flows.runtime import UserError, prepare_process
from flows.source_options import add_option

if TYPE_CHECKING:
    import numpy as np

    from zoo.data import Source

COLUMNS = 4  # with augmentation: the stored picture and three versions
_MIXED = 8  # pictures that mosaics are made of, if the split has them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("spec", help="such as voc:data/VOC2007 or bananas@val")
    add_option(parser)
    parser.add_argument("--augment", type=json.loads, default=[], help="steps, JSON")
    parser.add_argument("--count", type=int, default=16, help="how many samples to draw")
    parser.add_argument("--image-size", type=int, default=256, help="the network's input")
    parser.add_argument("--seed", type=int, default=0, help="of the augmentation")
    parser.add_argument("--out", required=True, type=Path, help="where the sheet goes")


def run(args: argparse.Namespace) -> int:
    """Draw the sheet; return the exit code.

    Raises:
        UserError: there are no such data, or they cannot be augmented so, or the sheet not written.
    """
    with mistakes_told():
        prepare_process()
        from zoo import data
        from zoo.draw import contact_sheet

        try:
            source, split = data.parse_spec(
                args.spec, on_defect="skip", progress=Counting(), **args.options
            )
            draw = _segmented_cells if source.palette else _cells
            cells = draw(source, split or source.splits[0], args)
        except ValueError as error:
            raise UserError(str(error)) from error
        _write(args.out, contact_sheet(cells, COLUMNS, cell=args.image_size))
    tell(wrote=str(args.out))
    return 0


def _cells(source: "Source", split: str, args: argparse.Namespace) -> "list[np.ndarray]":
    """Return the sheet's pictures, row by row."""
    size = source.size(split)
    columns = COLUMNS if args.augment else 1
    batch = min(size, max(-(-args.count // columns), _MIXED))
    stream = _stream(source, split, args, batch)
    stored = _samples(stream(training=False, batch_size=batch))
    rows = [[_drawn(sample, source)] for sample in stored]
    if args.augment:
        for places, changed in _versions(stream, args.augment, batch, epochs=columns - 1):
            for place, sample in zip(places, changed, strict=True):
                rows[place].append(_drawn(sample, source))
    return [picture for row in rows for picture in row][: args.count]


def _segmented_cells(source: "Source", split: str, args: argparse.Namespace) -> "list[np.ndarray]":
    """Return windows with their classes painted over them: the middle ones, or as training cuts."""
    from zoo.data import build_segmentation_pipeline
    from zoo.draw import draw_segmentation
    from zoo.results import Segmentation

    count = min(source.size(split), args.count)
    (batch,) = build_segmentation_pipeline(
        source,
        split,
        crop=(args.image_size, args.image_size),
        batch_size=count,
        training=bool(args.augment),
        augment=args.augment,
        seed=args.seed,
        limit=count,
    ).as_numpy_iterator()
    images, targets = batch
    return [
        draw_segmentation(
            pixels,
            Segmentation(classes, class_names=source.class_names, palette=source.palette),
        )
        for pixels, classes in zip(images, targets["segmentation"], strict=True)
    ]


def _stream(source: "Source", split: str, args: argparse.Namespace, limit: int):
    """Return `build_pipeline` for the first records of the split, its other options open."""
    from functools import partial

    from zoo.data import build_pipeline
    from zoo.layers.image_converter import ImageConverter

    entries = source.entries(split, limit).as_numpy_iterator()
    counts, masks = zip(*((len(one["labels"]), any(one["masks"])) for one in entries), strict=True)
    return partial(
        build_pipeline,
        source,
        split,
        ImageConverter((args.image_size, args.image_size)),
        max_boxes=max(1, 4 * max(counts)),  # room for all objects of a mosaic
        limit=limit,
        seed=args.seed,
        masks=any(masks),
    )


def _versions(stream, augment: list, batch: int, *, epochs: int):
    """Yield, an epoch each, the samples' places in stored order and the samples, augmented.

    The order of an epoch is told by the same epoch without augmentation.
    """
    options: dict[str, Any] = {"training": True, "batch_size": batch, "epochs": epochs}
    stored = [pixels.tobytes() for pixels, _ in _samples(stream(training=False, batch_size=batch))]
    plain, changed = (_samples(stream(**options, augment=steps)) for steps in ([], augment))
    for _ in range(epochs):
        free: dict[bytes, list[int]] = {content: [] for content in stored}
        for place, content in enumerate(stored):
            free[content].append(place)  # of equal pictures, one after another
        yield (
            [free[pixels.tobytes()].pop() for pixels, _ in itertools.islice(plain, batch)],
            list(itertools.islice(changed, batch)),
        )


def _samples(dataset):
    """Yield (pixels, objects) a picture."""
    for images, targets in dataset.as_numpy_iterator():
        for number, pixels in enumerate(images):
            yield pixels, {name: values[number] for name, values in targets.items()}


def _drawn(sample: "tuple[np.ndarray, dict[str, np.ndarray]]", source: "Source"):
    from zoo import Detections
    from zoo.draw import draw_objects

    pixels, objects = sample
    real = objects["labels"] >= 0
    height, width = pixels.shape[:2]
    truth = Detections.ground_truth(
        objects["boxes"][real] * [width, height, width, height],
        objects["labels"][real],
        source.class_names,
        masks=objects["masks"][real] if "masks" in objects else None,
    )
    return draw_objects(pixels, truth)


def _write(path: Path, sheet: "np.ndarray") -> None:
    from PIL import Image

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(path)
    except (OSError, ValueError) as error:  # ValueError: a suffix that Pillow does not know
        raise UserError(f"--out {path}: cannot be written: {error}") from error
